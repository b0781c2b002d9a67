"""Samples of one queue in rings of a fixed size: fine ones for hours, wider ones for days."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from edworkers.ports.books import Sample

AT_MOST = 400
"""How many samples are given at once."""
_HEADER_BYTES = 16
_SAMPLE = struct.Struct("<12I")
SAMPLE_BYTES = _SAMPLE.size
_NONE = 0xFFFFFFFF
_MOST = _NONE - 1


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring of samples, each with a place that its time says; older ones make way by being written over."""

    step_seconds: int
    slots: int

    @property
    def step_ms(self) -> int:
        """How far apart samples are."""
        return self.step_seconds * 1000

    @property
    def span_ms(self) -> int:
        """For how long a sample stays."""
        return self.step_ms * self.slots

    @property
    def size(self) -> int:
        """Bytes of the whole ring."""
        return _HEADER_BYTES + self.slots * SAMPLE_BYTES

    def floor(self, at: int) -> int:
        """Round a time (Unix ms) down to a step."""
        return at - at % self.step_ms

    def offset(self, at: int) -> int:
        """Say at which byte the sample of a time (Unix ms) is."""
        return _HEADER_BYTES + at // self.step_ms % self.slots * SAMPLE_BYTES

    def parts(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """Give the first and last bytes of what holds the samples between two times (Unix ms): one part, or two."""
        first, last = self.floor(since), self.floor(until)
        while first <= last:
            place = first // self.step_ms % self.slots
            count = min((last - first) // self.step_ms + 1, self.slots - place)
            yield self.offset(first), self.offset(first) + count * SAMPLE_BYTES - 1
            first += count * self.step_ms


RINGS = (Ring(10, 720), Ring(60, 1440), Ring(600, 1008))
"""For 2 hours, for 24 hours, for 7 days; each wider step is a multiple of the one before."""


@dataclass(frozen=True, slots=True)
class Choice:
    """From where to read samples, and how wide to make their steps."""

    ring: Ring
    since: int
    until: int
    step_ms: int


def choose(since: int, until: int, latest: int) -> Choice:
    """Find the finest ring that goes back far enough; times are Unix ms, `latest` is that of the latest sample."""
    until = min(until, latest)
    fitting = (ring for ring in RINGS if since > latest - ring.span_ms - ring.step_ms)
    ring = next(fitting, RINGS[-1])
    since = max(since, latest - ring.span_ms + ring.step_ms, 0)
    count = max(until - since, 0) // ring.step_ms + 1
    # One more, as the first and the last step may both be there in part only.
    step_ms = ring.step_ms * -(-count // (AT_MOST - 1))
    return Choice(ring, since, until, step_ms)


def write(sample: Sample) -> bytes:
    """Write a sample as bytes; its time in seconds, and what is too large as the largest that there is room for."""
    at, *values = sample
    return _SAMPLE.pack(at // 1000, *(_NONE if value is None else min(max(value, 0), _MOST) for value in values))


def read(data: bytes, since: int, until: int) -> Iterator[Sample]:
    """Read the samples between two times (Unix ms): what is left of older rounds, or was never written, isn't."""
    whole = len(data) - len(data) % SAMPLE_BYTES
    for seconds, *values in _SAMPLE.iter_unpack(data[:whole]):
        if seconds and since <= seconds * 1000 <= until:
            yield Sample._make((seconds * 1000, *(None if value == _NONE else value for value in values)))


def widen(samples: Iterable[Sample], step_ms: int) -> list[Sample]:
    """Make one sample of all that are in each step."""
    grouped = groupby(samples, key=lambda sample: sample.at - sample.at % step_ms)
    return [together(tuple(group), at) for at, group in grouped]


def together(samples: Sequence[Sample], at: int) -> Sample:
    """Make one sample of several: the most that was there, the sum of what came and went, and times by their weight."""
    if len(samples) == 1:  # as nearly always
        return samples[0]._replace(at=at)
    return Sample(
        at=at,
        pending=max(sample.pending for sample in samples),
        inflight=max(sample.inflight for sample in samples),
        delayed=max(sample.delayed for sample in samples),
        dead=max(sample.dead for sample in samples),
        done=sum(sample.done for sample in samples),
        failed=sum(sample.failed for sample in samples),
        arrived=sum(sample.arrived for sample in samples),
        latency_ms=_weighed((sample.latency_ms, _weight(sample)) for sample in samples),
        slow_ms=_weighed((sample.slow_ms, _weight(sample)) for sample in samples),
        ran_ms=_weighed((sample.ran_ms, _weight(sample)) for sample in samples),
        runners=max(sample.runners for sample in samples),
    )


def _weight(sample: Sample) -> int:
    """How many attempts its times are of."""
    return max(sample.done + sample.failed, 1)


def _weighed(values: Iterable[tuple[int | None, int]]) -> int | None:
    known = [(value, weight) for value, weight in values if value is not None]
    if not known:
        return None
    return round(sum(value * weight for value, weight in known) / sum(weight for _, weight in known))
