"""A follow-up job in the outbox."""

import pytest

from edworkers.core.follow_up import FollowUpItem, read_follow_up


def test_it_names_its_queue_and_its_id_and_the_rest_is_its_payload() -> None:
    assert read_follow_up(b'webhook a.webhook\n{"data":{}}\n\xff') == FollowUpItem(
        "webhook", "a.webhook", b'{"data":{}}\n\xff'
    )


@pytest.mark.parametrize(
    "item",
    [b"", b"webhook\n{}", b"webhook a", b"Webhook a\n{}", b"web hook a\n{}", b"webhook " + b"a" * 129 + b"\n{}"],
)
def test_anything_else_is_no_follow_up_job(item: bytes) -> None:
    assert read_follow_up(item) is None
