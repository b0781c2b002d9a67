"""Handlers for processes of their own: they start others, block, hog memory, die, or leave something behind.

What they did is told in the list `did` of the Redis at SIDE_EFFECTS_URL, as by `handlers_for_tests`:
`begin <id> <receipt> <attempt> <pid>`, then what they have to say, then `end <id> <receipt>`.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast

import redis

from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Rejected
from edworkers.core.settings import PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

HOG = "import time; hog = bytearray(150 * 1024**2); time.sleep(1000)"


class Work(JobData):
    do: str = "succeed"
    seconds: float = 1000
    megabytes: int = 0
    code: int = 0
    secret: str = ""


class InRunner(JobData):
    do: Literal["sleep", "block", "kill_runner", "succeed"] = "succeed"
    seconds: float = 1000


Tell = Callable[[str], object]


async def _succeed(work: Work, context: JobContext, _tell: Tell) -> Any:
    return {"did": work.do, "secret": work.secret, "env": os.environ.get("SEEN_BY_JOBS"), "attempt": context.attempt}


async def _context(_work: Work, context: JobContext, _tell: Tell) -> Any:
    names = ("id", "queue", "type", "attempt", "max_attempts", "receipt", "traceparent")
    return {name: getattr(context, name) for name in names} | {"left": context.seconds_left}


async def _sleep(work: Work, _context: JobContext, _tell: Tell) -> Any:
    await asyncio.sleep(work.seconds)


async def _block(work: Work, _context: JobContext, _tell: Tell) -> Any:
    until = time.monotonic() + work.seconds
    while time.monotonic() < until:
        pass


async def _deaf(work: Work, _context: JobContext, tell: Tell) -> Any:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    tell("deaf")
    time.sleep(work.seconds)  # noqa: ASYNC251


def _start_family() -> list[str]:
    """Start a child, one whose parent is gone, and one that left the group and the session."""
    scripts = (
        "sleep 1000 >/dev/null 2>&1 & echo $!",
        "setsid --fork sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1'",
    )
    child = subprocess.Popen(["sleep", "1000"])
    return [str(child.pid), *(subprocess.check_output(["sh", "-c", script], text=True).strip() for script in scripts)]


async def _family(work: Work, _context: JobContext, tell: Tell) -> Any:
    tell("family " + " ".join(_start_family()))
    await asyncio.sleep(work.seconds)
    return "left them"


async def _hog(work: Work, _context: JobContext, tell: Tell) -> Any:
    hog = bytearray(work.megabytes * 1024**2)
    tell("hogged")
    await asyncio.sleep(work.seconds)
    return len(hog)


async def _share(work: Work, _context: JobContext, _tell: Tell) -> Any:
    hog = bytearray(os.urandom(1024) * 1024 * work.megabytes)
    for _ in range(4):
        if os.fork() == 0:
            time.sleep(1000)  # noqa: ASYNC251
    await asyncio.sleep(work.seconds)
    return "shared" if hog else None


async def _oom_score(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    return Path("/proc/self/oom_score_adj").read_text().strip()  # noqa: ASYNC240


def _start_hogs() -> list[str]:
    return [str(subprocess.Popen([sys.executable, "-c", HOG]).pid) for _ in range(2)]


async def _hog_in_child(work: Work, _context: JobContext, tell: Tell) -> Any:
    tell("children " + " ".join(_start_hogs()))
    await asyncio.sleep(work.seconds)


async def _exit(work: Work, _context: JobContext, _tell: Tell) -> Any:
    os._exit(work.code)


async def _crash(work: Work, _context: JobContext, _tell: Tell) -> Any:
    os.kill(os.getpid(), work.code)
    await asyncio.sleep(work.seconds)


async def _segfault(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    ctypes.string_at(0)


async def _fail(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    raise RuntimeError("as asked")


async def _surrogate(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    raise ValueError("half of a pair: \ud83d")


async def _system_exit(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    raise SystemExit(3)


async def _cancel_itself(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    raise asyncio.CancelledError


async def _progress(work: Work, context: JobContext, tell: Tell) -> Any:
    for step in range(20):
        await context.progress(step / 20, f"step {step}")
    await asyncio.gather(context.progress(0.25, "one of two"), context.progress(0.5, "half"))
    tell("told")
    await asyncio.sleep(work.seconds)


async def _emit(work: Work, context: JobContext, tell: Tell) -> Any:
    for word in ("Once ", "upon é", " a time", ", half of a pair: \ud800"):
        await context.emit(word)
    tell("emitted")
    await asyncio.sleep(work.seconds)


async def _emit_much(_work: Work, context: JobContext, _tell: Tell) -> Any:
    for letter in "abcd":
        await context.emit(letter * 100_000)


async def _log(_work: Work, context: JobContext, _tell: Tell) -> Any:
    context.log("half of a pair: \ud800", "warning")
    await context.progress(0.5)
    for number in range(3):
        context.log(f"line {number}")
    context.log("x" * 1000, "debug")


async def _wrong_level(_work: Work, context: JobContext, _tell: Tell) -> Any:
    context.log("x", cast("Any", "loud"))


async def _wrong_progress(_work: Work, context: JobContext, _tell: Tell) -> Any:
    await context.progress(2)


async def _return(work: Work, _context: JobContext, _tell: Tell) -> Any:
    returned: Mapping[str, Any] = {
        "follow_up": Done({"text": "x"}, (FollowUp("next", {"a": [1]}),)),
        "failed": Failed("Boom", "no luck", retryable=False),
        "after": Failed("Busy", "later", after_seconds=3600),
        "deferred": Deferred(3600, "the service is closed"),
        "rejected": Rejected(("a: wrong", "b: missing")),
        "cancelled": Cancelled(),
        "model": Work(secret="kept"),
        "number": 42,
        "nothing": None,
        "large": "x" * 1_000_000,
        "too_large": "x" * 2_000_000,
        "no_json": object(),
        "nan": float("nan"),
        "decimal": Decimal("1.5"),
        "wrong": Deferred(None, "no number"),  # type: ignore[arg-type]
        "unwritable": Failed(object(), "no kind"),  # type: ignore[arg-type]
    }
    return returned[work.secret]


async def _close_for_ever(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    threading.Thread(target=time.sleep, args=(1000,)).start()
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
    return "done"


def _sockets() -> list[str]:
    return sorted(str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_socket())


async def _list_sockets(_work: Work, _context: JobContext, _tell: Tell) -> Any:
    return _sockets()


async def _loaded(work: Work, _context: JobContext, _tell: Tell) -> Any:
    return work.secret in sys.modules


_WAYS: dict[str, Callable[[Work, JobContext, Tell], Awaitable[Any]]] = {
    "succeed": _succeed,
    "context": _context,
    "sleep": _sleep,
    "block": _block,
    "deaf": _deaf,
    "family": _family,
    "hog": _hog,
    "hog_in_child": _hog_in_child,
    "share": _share,
    "oom_score": _oom_score,
    "exit": _exit,
    "crash": _crash,
    "segfault": _segfault,
    "fail": _fail,
    "surrogate": _surrogate,
    "system_exit": _system_exit,
    "cancel_itself": _cancel_itself,
    "progress": _progress,
    "emit": _emit,
    "emit_much": _emit_much,
    "log": _log,
    "wrong_level": _wrong_level,
    "wrong_progress": _wrong_progress,
    "return": _return,
    "close_for_ever": _close_for_ever,
    "sockets": _list_sockets,
    "loaded": _loaded,
}


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncIterator[Handle]:
    told = redis.Redis.from_url(env["SIDE_EFFECTS_URL"], client_name="side-effects", protocol=3)

    async def handle(work: Work, context: JobContext) -> Any:
        told.rpush("did", f"begin {context.id} {context.receipt} {context.attempt} {os.getpid()}")
        result = await _WAYS[work.do](work, context, lambda text: told.rpush("did", text))
        told.rpush("did", f"end {context.id} {context.receipt}")
        return result

    try:
        yield handle
    finally:
        told.close()


@asynccontextmanager
async def _open_in_runner(env: Mapping[str, str]) -> AsyncIterator[Handle]:
    told = redis.Redis.from_url(env["SIDE_EFFECTS_URL"], client_name="side-effects", protocol=3)

    async def handle(work: InRunner, context: JobContext) -> Any:
        told.rpush("did", f"begin {context.id} {context.receipt} {context.attempt} {os.getpid()}")
        match work.do:
            case "kill_runner":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sleep":
                await asyncio.sleep(work.seconds)
            case "block":
                time.sleep(work.seconds)  # noqa: ASYNC251
            case "succeed":
                pass

    try:
        yield handle
    finally:
        told.close()


MODULE = HandlerModule(
    pool=PoolSpec(queue="work", handlers="handlers_for_isolation"),
    handlers=(
        Handler(data=Work, open=_open, isolation="process", preload=("colorsys",)),
        Handler(data=InRunner, open=_open_in_runner, type="in-runner"),
    ),
)
