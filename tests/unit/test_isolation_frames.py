"""Messages between processes: whole, in order, in whatever pieces they come."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edworkers.adapters.isolation.frames import Frames, write_frame

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
HEADS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)
MESSAGES = st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=6)


@given(MESSAGES, st.data())
def test_messages_arrive_as_they_were_written_in_whatever_pieces(
    messages: list[tuple[dict[str, Any], bytes]], data: st.DataObject
) -> None:
    written = b"".join(write_frame(head, body) for head, body in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8)))
    frames = Frames()
    pieces = [written[start:end] for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    assert [message for piece in pieces for message in frames.feed(piece)] == messages


def test_half_a_message_is_none_yet() -> None:
    frames = Frames()
    assert list(frames.feed(write_frame({"a": 1}, b"body")[:-1])) == []
    assert list(frames.feed(b"y")) == [({"a": 1}, b"body")]
