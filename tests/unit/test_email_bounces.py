"""What mail servers' refusals mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.handlers.email.bounces import LONGEST_WAIT_SECONDS, read_bounce


@pytest.mark.parametrize(
    ("code", "text", "kind", "retryable"),
    [
        (550, "5.1.1 <ada@x>: Recipient address rejected: User unknown", "unknown-recipient", False),
        (550, "5.1.10 null MX", "unknown-recipient", False),
        (552, "5.2.2 over quota", "mailbox-full", False),
        (452, "4.2.2 The email account is over quota", "mailbox-full", True),
        (550, "5.2.1 disabled", "mailbox-disabled", False),
        (552, "5.3.4 too big", "too-large", False),
        (550, "5.7.1 blocked by Spamhaus", "policy", False),
        (550, "5.7.26 This mail is unauthenticated", "authentication", False),
        (421, "4.7.28 rate limited", "busy", True),
        (450, "4.7.1 Greylisted", "greylisted", True),
        (450, "mailbox busy", "mailbox-busy", True),
        (550, "5.7.1 Greylisted", "policy", False),
        (451, "try later", "server", True),
        (554, "Transaction failed", "policy", False),
        (550, "5.9.9 something new", "unknown-recipient", False),
        (550, "5.7.99 something new", "policy", False),
        (599, "whatever", "refused", False),
        (499, "", "server", True),
        (550, "4.2.2 says otherwise", "unknown-recipient", False),
        (550, "from 10.5.1.1 no", "unknown-recipient", False),
    ],
)
def test_a_code_says_what_kind_of_refusal_it_is_and_whether_to_try_again(
    code: int,
    text: str,
    kind: str,
    retryable: bool,  # noqa: FBT001 - a column of the table
) -> None:
    bounce = read_bounce(code, text)
    assert (bounce.kind, bounce.retryable) == (kind, retryable)


def test_the_meaning_and_the_servers_words_are_said() -> None:
    message = read_bounce(550, "5.1.1 no such\nuser\x1b[31m").message
    assert message == "there is no such mailbox (the server said: 550 5.1.1 no such user [31m)"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("4.7.1 Greylisted, please try again in 300 seconds", 300),
        ("try again in 5 minutes", 300),
        ("Greylisting in action, please come back in 00:05:00", None),
        ("retry after 2 hours", LONGEST_WAIT_SECONDS),
        ("greylisted for 60 sec", 60),
        ("try again later", None),
        ("4.3.0 mailbox has 5 messages", None),
    ],
)
def test_a_server_that_says_how_long_to_wait_is_obeyed_up_to_an_hour(said: str, seconds: float | None) -> None:
    assert read_bounce(450, said).after_seconds == seconds
    assert read_bounce(550, said).after_seconds is None


@given(st.integers(400, 599), st.text(max_size=3000))
def test_whatever_a_server_says_is_one_printable_line_and_not_long(code: int, text: str) -> None:
    bounce = read_bounce(code, text)
    assert bounce.message.isprintable()
    assert len(bounce.message) < 700
    assert bounce.retryable == (code < 500)
