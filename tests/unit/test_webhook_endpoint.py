"""Which addresses a webhook may be sent to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.handlers.endpoint import check_endpoint, host_of


@pytest.mark.parametrize(
    "url",
    [
        "https://school.example",
        "http://school.example:8080/hooks?token=a@b#part",
        "https://[2001:db8::1]:443/hooks",
        "https://schule-münchen.example/hooks",
        "HTTPS://SCHOOL.EXAMPLE/",
    ],
)
def test_an_absolute_address_on_the_web_is_good(url: str) -> None:
    assert check_endpoint(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "school.example/hooks",
        "//school.example",
        "/hooks",
        "ftp://school.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///hooks",
        "https://:8080/hooks",
        "https://me:secret@school.example",
        "https://me@school.example",
        "https://@school.example",
        "https://school.example:0",
        "https://school.example:65536",
        "https://school.example:http",
        "https://[::1",
        "https://school.example\\@evil.example",
        "https://school.example/a b",
        "https://school.example/\r\nX-Evil: 1",
        "https://school.example/\x00",
        " https://school.example",
        "https://school.example\n",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_endpoint(url)


@given(st.text())
def test_any_text_is_good_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://school.example:{text}"):
        try:
            check_endpoint(url)
        except ValueError:
            continue
        assert host_of(url)
        assert "@" not in host_of(url)


def test_the_host_is_told_without_the_rest() -> None:
    assert host_of("https://school.example:8443/hooks?token=secret") == "school.example:8443"
