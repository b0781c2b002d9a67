"""No secret and nobody's data gets into logs and the ledger, whichever way it is written."""

import json
import re
import secrets
import string
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.luhn import is_card_number
from edworkers.core.redact import Redactor, names_in
from edworkers.core.redact_text import redact_text
from edworkers.core.redact_url import is_token

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+hidden+\nmore\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "an address of mail": ("anna.smith+x@example.org", "anna.smith"),
    "a token in a header": ("Authorization: Bearer abc123def456", "abc123def456"),
    "a basic login": ("basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    "a JWT": (JWT, "eyJzdWIiOiIxMjM0In0"),
    "a login in an address": ("postgresql://app:hunter2@db.example:5432/app", "hunter2"),
    "a password with @ in an address": ("redis://:hun@ter2@db.example/0", "ter2"),
    "a key of webhooks": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8G"),
    "the number of a card": ("paid with 4111 1111 1111 1111 today", "1111"),
    "a key of AWS": ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    "a key of Gemini": ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "1234567890abc"),
    "a private key": (PEM, "hidden"),
    "half of a private key": (PEM[:60], "hidden"),
    "a phone": ("call +49 (170) 123-4567 now", "4567"),
    "a named password": ("password=hunter2", "hunter2"),
    "a password in quotes, with spaces": ('{"dbPassword": "hun ter2"}', "ter2"),
    "a password in JSON in a string": ('{\\"password\\": \\"hunter2\\"}', "hunter2"),
    "a signed query": ("https://x.example/a?X-Amz-Signature=0123abcd&b=1", "0123abcd"),
    "a token in a query": ("https://x.example/a?access_token=0123abcd", "0123abcd"),
    "a key in a query": ("http://127.0.0.1:9900/bin?token=URLSECRET99&api_key=KEYSECRET88", "SECRET"),
    "a code in a query": ("https://f.example/api/hook?code=hunter2hunter2&b=1", "hunter2"),
    "a webhook of Slack": ("https://hooks.slack.com/services/T01/B02/sEcReT", "sEcReT"),
    "a workflow of Slack": ("https://hooks.slack.com/triggers/T01/22/sEcReT", "sEcReT"),
    "a webhook of Discord": ("https://discord.com/api/webhooks/1234/s3cr_et-w0rd", "w0rd"),
    "a webhook of Teams": ("https://x.webhook.office.com/webhookb2/1-2@3-4/IncomingWebhook/5abc/6-7", "5abc"),
    "a bot of Telegram": ("https://api.telegram.org/bot123:s3cr_et/sendMessage", "s3cr"),
    "a hook of Zapier": ("https://hooks.zapier.com/hooks/catch/123/s3cret/", "s3cret"),
    "a token in a path": ("https://x.example/hooks/q7Rt2LmX9vBn4KsWz81D/in", "q7Rt2"),
    "a token in a query of any name": ("https://x.example/?h=q7Rt2LmX9vBn4KsWz81D", "q7Rt2"),
    "a key of a payment service": ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "HqLyjWDarj"),
    "a token of a forge": ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "292c6912"),
}
PLAIN = [
    "not done within 30 s, and the handler ignored its cancellation",
    "type: 'x' is unknown; this queue knows generate, embed",
    "HTTP 503 from https://school.example/hooks",
    "max_tokens: 300, used 1764000000123 ms",
    "the token is unknown to the service",
    "https://x.example/files/0f8fad5b-d9cb-469f-a165-70867728950e/01J9Z3K4E5F6A7B8C9D0E1F2G3",
    "https://x.example/9e107d9d372bb6826bd81d3542a419d6/The-Quick-Brown-Fox-Of-2026/MyLongDocumentName2026Final",
    "https://hooks.slack.com/docs and https://x.example/?page=12&sort=name&code=404",
    "job 01j9z3k4e5f6a7b8c9d0 at 2026-11-25T04:35:44.123Z",
]
TEXTS = st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS)
def test_a_secret_is_known_by_its_shape(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


@given(st.sampled_from(sorted(SECRETS.values())), TEXTS, TEXTS)
def test_a_secret_does_not_survive_wherever_it_stands(case: tuple[str, str], before: str, after: str) -> None:
    text, secret = case
    assert secret not in redact_text(f"{before} {text} {after}".replace(secret, "", 0)) or secret in before + after


@given(st.lists(st.sampled_from([text for text, _ in SECRETS.values()]) | TEXTS, max_size=4).map("".join))
def test_what_was_redacted_stays_as_it_is(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text(alphabet="@:/=+-. '\"\\passwordtokensecretkeyeyJ0123456789", max_size=80))
def test_any_text_of_suspicious_signs_is_gone_through_once_and_for_all(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(TEXTS, st.integers(2, 50))
def test_a_text_is_no_longer_than_allowed(text: str, longest: int) -> None:
    assert len(redact_text(text, longest)) <= longest


def test_what_is_cut_off_hides_no_half_of_a_secret() -> None:
    text = "x" * 30 + " " + JWT
    assert "dozj" not in redact_text(text, 40)
    assert "eyJ" not in redact_text(text, 40)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "newPassword", "PASSWORD_HASH", "api-key", "X-Api-Key", "accessToken", "Authorization", "cookie"),
        *("Set-Cookie", "clientSecret", "sessionId", "credentials", "email", "userEmail", "phoneNumber"),
        *("firstName", "dateOfBirth", "iban", "cardNumber", "cvc", "webhook-signature", "ipAddress"),
    ],
)
def test_a_field_with_such_a_name_loses_its_value(name: str) -> None:
    assert Redactor().redact({name: "v4lue", "other": 1}) == {name: "[redacted]", "other": 1}
    assert "v4lue" not in json.dumps(Redactor().redact({"deep": [{name: {"in": ["v4lue"]}}]}))


@pytest.mark.parametrize("name", ["maxTokens", "promptTokens", "secretRef", "template", "userId", "attempts", "format"])
def test_a_field_that_holds_no_secret_keeps_its_value(name: str) -> None:
    assert Redactor().redact({name: "v4lue"}) == {name: "v4lue"}


def test_what_people_write_is_told_by_its_length() -> None:
    data = {"prompt": "Why?", "previousMessages": [{"role": "user", "content": "I am Anna"}]}
    redacted = {"prompt": "[4 characters]", "previousMessages": [{"role": "user", "content": "[9 characters]"}]}
    assert Redactor().redact(data) == redacted
    assert Redactor().redact(redacted) == redacted


def test_more_names_can_be_given() -> None:
    redactor = Redactor(names_in("student_number, grade"))
    assert redactor.redact({"studentNumber": 17, "GRADE": "A", "class": "4b"}) == {
        "studentNumber": "[redacted]",
        "GRADE": "[redacted]",
        "class": "4b",
    }


@given(JSON)
def test_json_stays_json_and_is_redacted_once_and_for_all(value: Any) -> None:
    once = Redactor().redact(value)
    assert json.loads(json.dumps(once)) == once
    assert Redactor().redact(once) == once


def test_what_is_deep_or_long_is_cut() -> None:
    deep: Any = "end"
    for _ in range(3000):
        deep = [deep]
    assert len(json.dumps(Redactor().redact(deep))) < 100
    assert len(Redactor().redact(list(range(1000)))) == 201
    assert len(Redactor().redact({str(number): 1 for number in range(1000)})) == 201


@pytest.mark.parametrize(
    ("text", "is_card"),
    [("4111111111111111", True), ("5500-0000-0000-0004", True), ("4111111111111112", False), ("1764000000123", False)],
)
def test_the_number_of_a_card_has_a_check_digit(text: str, *, is_card: bool) -> None:
    assert is_card_number(text) is is_card


def test_a_single_field_is_redacted_by_its_name() -> None:
    assert Redactor().field("apiKey", "v4lue") == "[redacted]"
    assert Redactor().field("reason", "password=v4lue") == "password=[redacted]"


def test_names_beyond_those_that_are_remembered_are_judged_all_the_same() -> None:
    redactor = Redactor()
    for number in range(1100):
        redactor.field(f"name{number}", 1)
    assert redactor.field("password", "v4lue") == "[redacted]"


def test_a_text_is_gone_through_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edworkers.core.redact_text._MOST_ROUNDS", 1)
    assert redact_text("password=v4lue") == "password=[redacted]"


@pytest.mark.parametrize("name", ["to", "cc", "BCC", "replyTo"])
@pytest.mark.parametrize("value", ["ada@home.example", ["Ada <ada@home.example>", "x"], "+49 170 123", "491701234567"])
def test_a_receiver_loses_its_value_where_it_looks_like_an_address(name: str, value: object) -> None:
    assert Redactor().redact({name: value}) == {name: "[redacted]"}


@pytest.mark.parametrize("value", ["pdf", ["pdf", "png"], 17, {"queue": "ai"}, "2026-01-01T00:00"])
def test_a_field_called_to_that_is_nobodys_address_keeps_its_value(value: object) -> None:
    assert Redactor().redact({"to": value}) == {"to": value}


@given(st.uuids(), st.integers(0, 2**32))
def test_ids_of_the_usual_kinds_are_no_tokens(some: uuid.UUID, number: int) -> None:
    ulid = "01J9Z3K4E5" + f"{number:016X}"
    for name in (str(some), some.hex, str(some).upper(), ulid, ulid.lower(), f"essay-{number}-of-class-5b"):
        assert redact_text(f"https://x.example/jobs/{name}/result") == f"https://x.example/jobs/{name}/result"


def test_nearly_every_random_token_of_thirty_signs_is_known() -> None:
    signs = string.ascii_letters + string.digits
    made = ["".join(secrets.choice(signs) for _ in range(30)) for _ in range(500)]
    assert sum(map(is_token, made)) > 450


@pytest.mark.parametrize(
    "group",
    [
        "http://127.0.0.1:9900/bin410?token=URLSECRET99&api_key=KEYSECRET88",
        "http://user:URLSECRET99@127.0.0.1:9900/",
        "SECRET@home.example",
        f"https://x.example/{'a' * 300}?token=SECRET",
    ],
)
def test_a_group_is_shown_without_secrets_and_told_apart_from_others(group: str) -> None:
    shown = Redactor().group(group)
    assert "SECRET" not in shown
    assert len(shown) <= 200
    assert re.fullmatch(r".* #[0-9a-f]{8}", shown)
    assert shown == Redactor().group(group) != Redactor().group(group.replace("SECRET", "ANOTHER"))


@pytest.mark.parametrize("group", ["school-1", "https://school.example/hooks", "u1"])
def test_a_group_without_secrets_is_shown_as_it_is(group: str) -> None:
    assert Redactor().group(group) == group


def test_counts_of_tokens_by_the_names_of_prompt_and_answer_stay() -> None:
    result = {"answer": "It is.", "usage": {"tokens": {"prompt": 12, "answer": 34, "total": 46}}}
    counted = {"tokens": {"prompt": 12, "answer": 34, "total": 46}}
    assert Redactor().redact(result) == {"answer": "[6 characters]", "usage": counted}
    assert Redactor().redact({"note": 2, "pin": 1234}) == {"note": "[redacted]", "pin": "[redacted]"}
