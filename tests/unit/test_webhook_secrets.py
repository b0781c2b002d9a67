"""With what webhooks are signed."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from edworkers.handlers.webhook.deliver import find_faults
from edworkers.handlers.webhook.secrets import (
    MissingSecretError,
    check_secret,
    choose,
    signed_headers,
    variable_of,
)


def secret(character: bytes, length: int = 32) -> str:
    return "whsec_" + base64.b64encode(character * length).decode()


OLD, NEW = secret(b"o"), secret(b"n")


@pytest.mark.parametrize(
    "good", [secret(b"a", 24), secret(b"a", 64), secret(b"a", 25).rstrip("="), secret(b"\xfb\xff", 12)]
)
def test_a_secret_has_24_to_64_bytes_with_or_without_padding(good: str) -> None:
    assert check_secret(good) == good
    assert Webhook(good)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "whsec_",
        secret(b"a", 23),
        secret(b"a", 65),
        secret(b"a").removeprefix("whsec_"),
        "whsec_" + "!" * 44,
        secret(b"a") + "é",
        secret(b"a") + " ",
        "whsec_" + "QUJD" * 10 + "Q",
        "WHSEC_" + "QUJD" * 10,
    ],
)
def test_anything_else_is_no_secret_and_is_not_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and then 24 to 64 random bytes in base64") as refused:
        check_secret(bad)
    assert len(bad) <= len("whsec_") or bad not in str(refused.value)


def test_a_jobs_own_secret_goes_before_the_usual_one() -> None:
    env = {"WEBHOOK_SECRET": OLD, "WEBHOOK_SECRET_SCHOOL_1": NEW}
    assert choose(env, NEW, None) == (NEW,)
    assert choose(env, None, "school-1") == (NEW,)
    assert choose(env, None, None) == (OLD,)


def test_a_reference_names_a_variable_in_capitals() -> None:
    assert variable_of("school-1") == "WEBHOOK_SECRET_SCHOOL_1"
    assert variable_of("East_9a") == "WEBHOOK_SECRET_EAST_9A"


def test_a_reference_to_a_variable_that_is_not_set_says_which() -> None:
    for env in ({}, {"WEBHOOK_SECRET": OLD}, {"WEBHOOK_SECRET_SCHOOL_1": " "}):
        with pytest.raises(MissingSecretError, match="WEBHOOK_SECRET_SCHOOL_1 is not set"):
            choose(env, None, "school-1")


def test_none_sends_unsigned_what_brings_no_secret_of_its_own() -> None:
    env = {"WEBHOOK_SECRET": "none", "WEBHOOK_SECRET_A": OLD}
    assert choose(env, None, None) == ()
    assert choose(env, None, "a") == (OLD,)
    assert choose(env, NEW, None) == (NEW,)
    headers = signed_headers((), "m1", datetime(2026, 1, 1, tzinfo=UTC), b"{}")
    assert headers == {"webhook-id": "m1", "webhook-timestamp": "1767225600"}


def test_a_message_is_signed_with_every_secret_so_that_either_verifies_it() -> None:
    secrets = choose({"WEBHOOK_SECRET": f" {NEW}  {OLD} "}, None, None)
    message = '{"name":"Zoë"}'.encode()
    headers = signed_headers(secrets, "m1", datetime.now(UTC), message)
    for known in (OLD, NEW):
        assert Webhook(known).verify(message, headers) == {"name": "Zoë"}


def test_a_missing_secret_says_how_to_make_one_and_how_to_do_without() -> None:
    [fault] = find_faults({})
    assert fault.startswith("WEBHOOK_SECRET: not set; make one with: echo ")
    assert "set it to none" in fault


def test_every_bad_secret_is_named_by_its_variable_and_is_not_repeated() -> None:
    found = find_faults(
        {
            "WEBHOOK_SECRET": f"{NEW} hunter2",
            "WEBHOOK_SECRET_B": "none",
            "WEBHOOK_SECRET_A": "whsec_hunter2",
            "WEBHOOK_SECRET_C": OLD,
            "WEBHOOK_SECRETS": "another thing",
        }
    )
    assert [fault.split(" must")[0] for fault in found] == [
        "WEBHOOK_SECRET: number 2 of 2",
        "WEBHOOK_SECRET_A:",
        "WEBHOOK_SECRET_B:",
    ]
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize("value", [NEW, f"{NEW} {OLD}", "none", " none "])
def test_a_good_secret_or_none_is_no_fault(value: str) -> None:
    assert find_faults({"WEBHOOK_SECRET": value}) == []
