"""What a W3C trace context says."""

import pytest

from edworkers.core.traceparent import is_sampled, is_usable, span_id_of, trace_id_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_it_names_a_trace_and_a_span() -> None:
    traceparent = f"00-{TRACE}-{SPAN}-01"
    assert (trace_id_of(traceparent), span_id_of(traceparent)) == (TRACE, SPAN)
    assert is_usable(traceparent)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_none_is_not_used_and_not_kept(traceparent: str) -> None:
    assert not is_usable(traceparent)
    assert not is_sampled(traceparent)


@pytest.mark.parametrize(("flags", "kept"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)])
def test_the_last_flag_says_whether_the_trace_is_kept(flags: str, kept: bool) -> None:  # noqa: FBT001
    assert is_sampled(f"00-{TRACE}-{SPAN}-{flags}") == kept
