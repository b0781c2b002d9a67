"""The jobs of the demo: what is pushed, byte for byte, and how each has to end.

What goes wrong is asked for in the job itself: by a directive in the prompt (`[[status 503 times 1]]`, which the
stand-in for Gemini obeys) or by the path of the webhook's URL (`/status/410`, which the inbox obeys).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from edworkers.core.settings import MAX_PAYLOAD_BYTES

DELAY_SECONDS = 2
_TOO_DEEP = 300


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends; of an expectation and of what was seen alike."""

    state: str = "done"
    """`done`, `dead`, or `dropped` where no record of it may be."""
    attempts: int = 1
    asked: int = 1
    """How often Gemini was asked."""
    kind: str = ""
    """The kind of the error it died of."""
    faults: tuple[str, ...] = ()
    """Every fault that is named; in an expectation, how each begins."""
    webhook: str = ""
    """How the job ended that delivers the answer."""
    answers: tuple[int, ...] = ()
    """What the receiver answered, one for each delivery."""


@dataclass(frozen=True, slots=True)
class Case:
    """One job. `name` is its id, where it has one (`has_id`)."""

    name: str
    shows: str
    payload: bytes
    ending: Ending = field(default_factory=Ending)
    prompt: str = ""
    """By which the stand-in's questions are told apart."""
    path: str = ""
    """Of the inbox, where its answer is sent."""
    has_id: bool = True
    pushes: int = 1
    urgent: bool = False
    """Whether it is pushed on the side of the list from which runners take."""
    not_before_seconds: float = 0
    in_short: bool = False
    """Whether it is one of many that are shown as one."""
    answer_has: str = ""
    """What the answer has to tell, besides the question."""
    replayed: Ending | None = None
    """How it ends when it is replayed after its first end."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """All cases, in the order in which they are pushed."""

    main: Case
    """Pushed first, alone: from LPUSH to the signed webhook."""
    killed: Case
    """Its runner is killed while it works on it."""
    others: tuple[Case, ...]
    """Pushed all at once."""
    holder: Case
    """One of `others`: it holds a unique key for a while."""
    second: Case
    """Pushed while `holder` runs."""

    @property
    def all(self) -> tuple[Case, ...]:
        """Every case."""
        return (self.main, self.killed, *self.others, self.second)

    @property
    def dropped(self) -> int:
        """How many pushes have to be dropped as duplicates."""
        return sum(case.pushes - 1 for case in self.all) + sum(case.ending.state == "dropped" for case in self.all)

    @property
    def questions(self) -> int:
        """How often Gemini is asked in all."""
        return sum((case.replayed or case.ending).asked for case in self.all)


def make_scenario(inbox: str, jobs: int) -> Scenario:
    """Write all cases; `inbox` is the URL to which answers are sent, `jobs` the number of plain questions."""
    key = {"uniqueKey": "essay-7"}
    holder = _question("unique-1", "holds the unique key essay-7 while it runs", "[[slow 3s]] Mark essay 7.", more=key)
    second = _question(
        "unique-2",
        "urgent (RPUSH), but has the same key: dropped",
        "Mark essay 7 again.",
        Ending("dropped", 0, 0),
        more=key,
        urgent=True,
    )
    others = (
        *_forms(inbox),
        *_faults_of_gemini(),
        *_faults_of_receivers(inbox),
        *_malformed(),
        *_times(),
        holder,
        *(_plain(number) for number in range(1, jobs + 1)),
    )
    return Scenario(_main(inbox), _killed(), others, holder, second)


def _main(inbox: str) -> Case:
    context = {
        "previousMessages": [
            {"role": "user", "content": "I do not understand fractions."},
            {"role": "assistant", "content": "Think of a cake that is cut into equal pieces."},
        ],
        "assessmentData": {"level": "grade 5", "score": 0.62, "topics": ["fractions", "decimals"]},
    }
    return _question(
        "main",
        "the main job: history, assessment data, answer by webhook",
        "How do I add 1/2 and 1/3?",
        Ending(webhook="done", answers=(204,)),
        data={"context": context, "options": {"temperature": 0.3, "maxTokens": 500}},
        inbox=inbox,
        path="/answers",
        answer_has="Earlier messages: 2. System instruction: yes.",
    )


def _killed() -> Case:
    return _question(
        "killed",
        "its runner is killed (SIGKILL) while it works on it",
        "[[slow 25s times 1]] Why is the sky blue?",
        Ending(asked=2),
    )


def _plain(number: int) -> Case:
    return _question(f"plain-{number}", "plain questions", f"What is {number} times {number}?", in_short=True)


def _forms(inbox: str) -> Iterator[Case]:
    data = {"conversationId": "demo", "userId": "u1", "prompt": "What is a noun?", "webhookUrl": f"{inbox}/bare"}
    delivered = Ending(webhook="done", answers=(204,))
    shows = "bare data without an envelope; its id is made"
    yield Case("bare", shows, _json(data), delivered, data["prompt"], "/bare", has_id=False)
    event = {
        "specversion": "1.0",
        "type": "school.question.asked",
        "source": "/classes/5b",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
    }
    yield _question("event", "a CloudEvents event is a job as it is", "What is a verb?", more=event)


def _faults_of_gemini() -> Iterator[Case]:
    yield _question(
        "retry", "503 at first, then an answer", "[[status 503 times 1]] What is a cell?", Ending(attempts=2, asked=2)
    )
    yield _question(
        "quota",
        "429 with RetryInfo: waits as long, which costs no attempt",
        "[[status 429 retry 1s times 1]] What is an atom?",
        Ending(asked=2),
    )
    yield _question(
        "blocked",
        "blocked for safety: not asked again",
        "[[block SAFETY]] Something unsafe.",
        Ending("dead", kind="blocked"),
    )
    yield _question(
        "failing", "500 every time", "[[status 500]] What is a gene?", Ending("dead", 2, 2, kind="unavailable")
    )
    yield _question(
        "replayed",
        "500 until it is dead, then replayed",
        "[[status 500 times 2]] What is a leaf?",
        Ending("dead", 2, 2, kind="unavailable"),
        replayed=Ending(asked=3),
    )


def _faults_of_receivers(inbox: str) -> Iterator[Case]:
    yield _question(
        "busy",
        "the receiver answers 503 twice, then takes it",
        "What is a river?",
        Ending(webhook="done", answers=(503, 503, 204)),
        inbox=inbox,
        path="/status/503/times/2",
    )
    yield _question(
        "gone",
        "the receiver answers 410: the webhook is buried",
        "What is a lake?",
        Ending(webhook="dead", answers=(410,)),
        inbox=inbox,
        path="/status/410",
    )


def _malformed() -> Iterator[Case]:
    deep = b'{"data":' + b"[" * _TOO_DEEP + b"]" * _TOO_DEEP + b"}"
    large = b'{"data":{"prompt":"' + b"x" * MAX_PAYLOAD_BYTES + b'"}}'
    no_prompt = {"conversationId": "demo", "userId": "u1"}
    envelope = {"id": "two words", "delay": -1, "maxAttempts": "three", "runat": "tomorrow", "data": no_prompt}
    yield _refused("no-json", "not JSON", b"hello, {world", "not JSON: ")
    yield _refused(
        "array", "JSON, but an array", b'[{"prompt":"What is 1 + 1?"}]', "must be a JSON object, not an array"
    )
    yield _refused("too-deep", f"nested {_TOO_DEEP} levels deep", deep, "nested too deeply: ")
    yield _refused("too-large", "over 1 MiB", large, f"too large: {len(large)} bytes")
    yield _refused(
        "fields",
        "four faults in the envelope, one in the data",
        _json(envelope),
        *("runat: unknown; did you mean runAt?", "id: ", "delay: ", "maxAttempts: ", "data.prompt: "),
    )
    wrong = {"conversationId": "", "userId": 7, "prompt": "  ", "model": "best", "options": {"temperature": 9}}
    yield _refused(
        "data",
        "five faults in the data",
        _json({"id": "data", "data": wrong}),
        *("data.conversationId: ", "data.userId: ", "data.prompt: ", "data.options.temperature: ", "data.model: "),
        has_id=True,
    )


def _refused(name: str, shows: str, payload: bytes, *faults: str, has_id: bool = False) -> Case:
    return Case(name, shows, payload, Ending("dead", 0, 0, "rejected", faults), has_id=has_id)


def _times() -> Iterator[Case]:
    yield _question(
        "delayed",
        f"not before {DELAY_SECONDS} s from now",
        "What is time?",
        more={"delay": DELAY_SECONDS},
        not_before_seconds=DELAY_SECONDS,
    )
    yield _question("twice", "pushed twice with one id: runs once", "What is an echo?", pushes=2)


def _question(
    name: str,
    shows: str,
    prompt: str,
    ending: Ending | None = None,
    *,
    data: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    inbox: str = "",
    path: str = "",
    **rest: Any,
) -> Case:
    asked = {"conversationId": "demo", "userId": "u1", "prompt": prompt, **(data or {})}
    if path:
        asked["webhookUrl"] = f"{inbox}{path}"
    payload = _json({"id": name, **(more or {}), "data": asked})
    return Case(name, shows, payload, ending or Ending(), prompt, path, **rest)


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
