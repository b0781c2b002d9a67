"""Keeps one runner's leases from a thread of its own, and wakes it when a job arrives.

A handler may block the event loop for as long as it likes: this thread goes on. It has the second of a runner's two
connections, and on that one it renews, listens for cancellations, and waits for jobs by BLMOVE: Redis wakes one waiting
runner a job, by moving the job to `arrived`, from which any runner's next claim takes it, so a runner that dies between
the two holds up nothing.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import NoScriptError, OutOfMemoryError

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import Outage, blocking_connection, is_outage
from edworkers.adapters.redis.scripts import script
from edworkers.core.keys import QueueKeys
from edworkers.ports import Settlement, Start
from edworkers.telemetry import log

_MARGIN_SECONDS = 3.0
_LONGEST_WAIT_SECONDS = 5.0
_SHORT_WAIT_SECONDS = 0.5
_LATE = 0.85
"""Of a lease, the part after which it should have been renewed long ago."""
_LOOKS_A_LEASE = 20

CycleCall = Callable[[Sequence[Settlement], Sequence[Start], int], tuple[list[str], list[Any]]]


class RedisLifeline:
    """The `Lifeline` port on Redis. `guard`, if given, is called in the thread at least every half second.

    `on_renewed` too, with the time (of `time.monotonic`) at which a renewal began that Redis has answered.
    """

    def __init__(
        self,
        address: RedisAddress | str,
        queue: str,
        *,
        runner: str,
        lease_ms: int,
        cycle_call: CycleCall,
        guard: Callable[[], None] = lambda: None,
        on_renewed: Callable[[float], None] = lambda _began: None,
    ) -> None:
        self._on_renewed = on_renewed
        self._cycle_call = cycle_call
        self._keys = QueueKeys(queue)
        self._runner = runner
        self._lease = lease_ms / 1000
        self._guard = guard
        # A Redis that doesn't answer within a third of the lease is given up, so that there is time to try again.
        self._tick = min(_SHORT_WAIT_SECONDS, self._lease / 6)
        self._connection: Any = blocking_connection(address, self._lease / 3 + 1, self._keys.pending)
        self._held: dict[str, str] = {}
        self._renewed_at = self._safe_at = time.monotonic()
        self._was_late = False
        self._wanted = threading.Event()
        self._changed = threading.Condition()
        self._closing = False
        self._outage = Outage("renew leases and wait for jobs")
        self._thread = threading.Thread(target=self._run, name="lifeline", daemon=True)

    def open(
        self,
        *,
        on_wake: Callable[[], None],
        on_lost: Callable[[Sequence[str]], None],
        on_cancel: Callable[[Sequence[str]], None],
    ) -> None:
        """Begin; the callbacks run in the event loop that calls this."""
        self._loop = asyncio.get_running_loop()
        self._on_wake, self._on_lost, self._on_cancel = on_wake, on_lost, on_cancel
        self._renewed_at = self._safe_at = time.monotonic()
        self._thread.start()
        self._look_at_leases()

    def hold(self, receipts: Mapping[str, str]) -> None:
        """Keep the leases of these receipts (to job ids, empty where not yet known)."""
        if not self._held:
            self._safe_at = time.monotonic()  # they are new, even where nothing could be renewed for long
        self._held.update(receipts)

    def let_go(self, receipts: Sequence[str]) -> None:
        """Stop keeping the leases of these receipts."""
        for receipt in receipts:
            self._held.pop(receipt, None)

    def wake_me(self) -> None:
        """Call `on_wake` once when a job arrives or the queue opens."""
        if not self._wanted.is_set():
            self._wanted.set()
            with self._changed:
                self._changed.notify()

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle from the lifeline itself, when the event loop is blocked; called by its guard only."""
        keys, args = self._cycle_call(settlements, (), 0)
        self._run_script("cycle", keys, args)

    def close(self) -> None:
        """End, and wait until it has ended."""
        self._closing = True
        with self._changed:
            self._changed.notify()
        self._interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout=self._lease + _MARGIN_SECONDS)

    def _interrupt(self) -> None:
        """End a wait for a reply. A job that is on its way meanwhile stays in `arrived`, for the next who looks."""
        waiting = self._connection._sock  # noqa: SLF001
        if waiting is not None:
            with suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        if not self._closing:
            with suppress(RuntimeError):  # the event loop has ended
                self._loop.call_soon_threadsafe(callback, *args)

    def _run(self) -> None:
        while not self._closing:
            try:
                self._listen()
                while not self._closing:
                    self._turn()
                    self._outage.over()
            except Exception as error:  # noqa: BLE001 - without this thread every lease would be lost, so it goes on
                if not self._closing:
                    self._recover(error)
        self._connection.disconnect()

    def _recover(self, error: Exception) -> None:
        self._connection.disconnect()
        is_new = not self._outage.lasts
        wait = self._outage.failed(error)
        if not is_outage(error):
            if is_new:
                log.error("lifeline.failed", reason=f"{type(error).__name__}: {error}", then="trying again")
            if self._wanted.is_set():
                self._woken()  # no job would wake the runner: it must look by itself, or learn that it is refused
        self._guard()
        with self._changed:
            self._changed.wait(min(wait, self._tick))

    def _look_at_leases(self) -> None:
        """Stop work, in the event loop, before its lease runs out unrenewed: another runner may be about to start it.

        Late at two looks running, so that a process that stood still may ask Redis first what it still holds.
        """
        is_late = time.monotonic() - self._safe_at > _LATE * self._lease
        if is_late and self._was_late and self._held:
            lost = list(self._held)
            self.let_go(lost)
            self._on_lost(lost)
        self._was_late = is_late
        if not self._closing:
            self._loop.call_later(self._lease / _LOOKS_A_LEASE, self._look_at_leases)

    def _turn(self) -> None:
        self._guard()
        if time.monotonic() - self._renewed_at >= self._lease / 3:
            self._renew()
        if self._wanted.is_set():
            self._wait_for_job()
        else:
            with self._changed:
                if not self._wanted.is_set() and not self._closing:
                    self._changed.wait(self._tick)
            self._hear()

    def _renew(self) -> None:
        began = time.monotonic()
        held = dict(self._held.copy())
        keys = (self._keys.lease, self._keys.cancel, self._keys.runners)
        args = (round(self._lease * 1000), self._runner, len(held), *held.keys(), *held.values())
        lost, cancelled = self._run_script("renew", keys, args)
        self._renewed_at = self._safe_at = began
        self._on_renewed(began)
        # What was settled meanwhile has no lease any more, and isn't lost.
        gone = [receipt for receipt in (raw.decode() for raw in lost) if receipt in self._held]
        if gone:
            self._tell(self._on_lost, gone)
            self.let_go(gone)
        if cancelled:
            self._tell(self._on_cancel, [job_id.decode() for job_id in cancelled])

    def _run_script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        wanted = script(name)
        try:
            return self._command("EVALSHA", wanted.sha, len(keys), *keys, *args)
        except NoScriptError:
            return self._command("EVAL", wanted.text, len(keys), *keys, *args)

    def _wait_for_job(self) -> None:
        until_renewal = self._lease / 3 - (time.monotonic() - self._renewed_at)
        seconds = max(min(until_renewal, _SHORT_WAIT_SECONDS if self._held else self._idle_wait()), 0.01)
        keys = self._keys
        try:
            job = self._command("BLMOVE", keys.pending, keys.arrived, "RIGHT", "RIGHT", f"{seconds:.3f}")
        except OutOfMemoryError:
            # Redis moves nothing where its memory is full, but by scripts: the runner looks by itself, now and then.
            with self._changed:
                self._changed.wait(min(seconds, self._tick))
            self._woken()
            return
        if job is not None:
            self._woken()

    def _idle_wait(self) -> float:
        return min(_LONGEST_WAIT_SECONDS, self._lease / 3)

    def _woken(self) -> None:
        self._wanted.clear()
        self._tell(self._on_wake)

    # The connection speaks RESP3, so that messages of the channel may come between the replies to commands.

    def _listen(self) -> None:
        self._connection.connect()
        self._connection._parser.set_pubsub_push_handler(self._hear_message)  # noqa: SLF001
        self._connection.send_command("SUBSCRIBE", self._keys.events)
        self._connection.read_response(push_request=True)

    def _command(self, *words: Any) -> Any:
        self._connection.send_command(*words)
        return self._connection.read_response()

    def _hear(self) -> None:
        while self._connection.can_read(0):
            self._connection.read_response(push_request=True)

    def _hear_message(self, message: list[Any]) -> None:
        if message[0] != b"message":
            return
        word, _, job_id = message[2].partition(b" ")
        if word == b"cancel":
            self._tell(self._on_cancel, [job_id.decode("utf-8", "replace")])
        elif word == b"resume":
            self._woken()
