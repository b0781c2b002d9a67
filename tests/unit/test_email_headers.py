"""Addresses and headers of mails: what is taken, what is refused, and that Python's parser reads what was written."""

import email
import email.policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.handlers.email.headers import address_header, raw_header, text_header
from edworkers.handlers.email.message import message_id
from edworkers.handlers.mail_addresses import Address, is_one_line, parse_address

visible = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co"]), min_size=1, max_size=120
).filter(is_one_line)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ada@school.example", Address("ada", "school.example")),
        ("  Ada.L+x@School.EXAMPLE ", Address("Ada.L+x", "school.example")),
        ("Ada Lovelace <ada@school.example>", Address("ada", "school.example", "Ada Lovelace")),
        ('"Lovelace, Ada" <ada@school.example>', Address("ada", "school.example", "Lovelace, Ada")),
        ("<ada@school.example>", Address("ada", "school.example")),
        ("ada@school.example <ada@school.example>", Address("ada", "school.example")),
        ("ada@münchen.example", Address("ada", "xn--mnchen-3ya.example")),
        ("jürgen@school.example", Address("jürgen", "school.example")),
        ("root@localhost", Address("root", "localhost")),
    ],
)
def test_an_address_is_read(text: str, read: Address) -> None:
    assert parse_address(text) == read


@pytest.mark.parametrize(
    "text",
    [
        *("", "ada", "@school.example", "ada@", "ada@school", "ada@@school.example", "a b@school.example"),
        *(".ada@school.example", "ada.@school.example", "a..b@school.example", '"a b"@school.example'),
        *("ada@school.example, ben@school.example", "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@-a.example", "ada@a..b"),
        *(
            "ada@school.example>",
            "<ada@school.example",
            "ada(x)@school.example",
            "ada@school.example.",
            "a<b>@x.example",
        ),
        *("boss@bank.example <ada@school.example>", "Ada\r\nBcc: x <ada@school.example>", "ada\0@school.example"),
        *("\u202eada@school.example", "x" * 65 + "@school.example", "ada@" + "a." * 130 + "example", "ada@xn--a.💥"),
        *("@a,@b:ada@school.example", "ada;ben@school.example", "ada\\@school.example", "ada\u3000x@school.example"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_address(text)


@given(st.text(max_size=80))
def test_whatever_is_read_can_break_no_command_and_no_header(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert not set(address.bare) & set(' <>,;:\r\n\0"()[]\\')
    assert address.domain.isascii()
    header = address_header("To", [address])
    assert header.count(b"\r\n") == header.count(b"\n") == header.count(b"\r\n ") + 1


@given(st.lists(visible, min_size=1, max_size=5))
def test_names_are_read_back_as_they_were_written(names: list[str]) -> None:
    addresses = [Address(f"p{n}", "school.example", " ".join(name.split())) for n, name in enumerate(names)]
    written = address_header("To", addresses)
    for line in written.split(b"\r\n"):
        assert b"=?" not in line or len(line) <= 76
    message = email.message_from_bytes(written + b"\r\n", policy=email.policy.default)
    read = message["to"]
    assert [one.addr_spec for one in read.addresses] == [address.bare for address in addresses]
    assert read.defects == ()


@given(visible)
def test_a_long_name_of_several_words_is_read_back(name: str) -> None:
    plain = " ".join(name.split()) + "ü"
    written = address_header("To", [Address("ada", "school.example", plain)]).decode()
    phrase = written.removeprefix("To: ").rpartition("<")[0]
    assert str(make_header(decode_header(phrase.strip()))) == plain


@given(visible)
def test_a_text_is_read_back_as_it_was_written(value: str) -> None:
    written = text_header("Subject", value)
    assert written.isascii()
    assert all(len(line) <= 998 for line in written.split(b"\r\n"))
    message = email.message_from_bytes(written + b"\r\n", policy=email.policy.default)
    assert message["subject"] == value.strip()
    assert len(message.keys()) == 1


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "a\u2028b"])
def test_a_text_of_several_lines_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        text_header("Subject", value)


def test_a_word_that_no_line_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="word"):
        text_header("X-Long", "x" * 1000)


def test_pieces_are_folded_between_them() -> None:
    written = raw_header("List-Unsubscribe", f"<https://a.example/{'x' * 60}>,", "<mailto:a@b.example>")
    assert written.count(b"\r\n ") == 1


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128))
def test_every_id_of_a_job_makes_a_message_id_that_can_be_parsed(job_id: str) -> None:
    made = message_id(job_id, None, "school.example")
    assert made == message_id(job_id, None, "school.example")
    parsed = email.message_from_string(f"Message-ID: {made}\r\n\r\n", policy=email.policy.default)["message-id"]
    assert (str(parsed), parsed.defects) == (made, ())


def test_a_key_and_a_job_of_the_same_name_are_two_messages() -> None:
    ids = {message_id(job, key, "school.example") for job, key in (("1", None), ("1", "1"), ("2", None), ("2", "2"))}
    assert len(ids) == 4
    assert message_id("1", "k", "school.example") == message_id("2", "k", "school.example")
