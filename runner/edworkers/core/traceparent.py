"""A W3C trace context, as it lies in a job's envelope: version, trace id, span id, flags."""

import re

_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_usable(traceparent: str) -> bool:
    """Whether it names a trace and a span: neither is all noughts, and the version isn't the forbidden one."""
    return _SHAPE.fullmatch(traceparent) is not None


def is_sampled(traceparent: str) -> bool:
    """Whether it is usable and its trace is kept, as far as whoever began it decides."""
    return traceparent[-1:] in "13579bdf" and is_usable(traceparent)


def trace_id_of(traceparent: str) -> str:
    """Give the id of its trace: 32 hexadecimal digits."""
    return traceparent[3:35]


def span_id_of(traceparent: str) -> str:
    """Give the id of its span: 16 hexadecimal digits."""
    return traceparent[36:52]
