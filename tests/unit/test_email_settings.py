"""Which mail server the environment means, and what is wrong with it."""

import pytest

from edworkers.adapters.smtp.settings import SmtpSettings, find_faults, read_settings


@pytest.mark.parametrize(
    ("env", "server"),
    [
        ({"SMTP_URL": "smtp://mail.example"}, SmtpSettings("mail.example", 587)),
        (
            {"SMTP_URL": "smtp://a%40b:p%2Fw@mail.example:2525"},
            SmtpSettings("mail.example", 2525, "starttls", "a@b", "p/w"),
        ),
        ({"SMTP_URL": "smtps://mail.example"}, SmtpSettings("mail.example", 465, "tls")),
        ({"SMTP_URL": "smtp://[::1]:25", "SMTP_TLS": "none"}, SmtpSettings("::1", 25, "none")),
        (
            {"SMTP_URL": "smtp://u@mail.example", "SMTP_PASSWORD": "p"},
            SmtpSettings("mail.example", 587, "starttls", "u", "p"),
        ),
        ({"SMTP_HOST": "mail.example"}, SmtpSettings("mail.example", 587)),
        ({"SMTP_HOST": "mail.example", "SMTP_PORT": "465"}, SmtpSettings("mail.example", 465, "tls")),
        ({"SMTP_HOST": "mail.example", "SMTP_TLS": "TLS"}, SmtpSettings("mail.example", 465, "tls")),
        ({"SMTP_HOST": "localhost", "SMTP_TLS": "none"}, SmtpSettings("localhost", 25, "none")),
        ({"SMTP_HOST": "mail.example", "SMTP_TLS": "insecure"}, SmtpSettings("mail.example", 25, "none")),
        ({"SMTP_URL": "smtp://mail.example", "SMTP_HOST": "other"}, SmtpSettings("mail.example", 587)),
    ],
)
def test_a_server_is_read(env: dict[str, str], server: SmtpSettings) -> None:
    faults: list[str] = []
    assert (read_settings(env, faults), faults) == (server, [])


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, "SMTP_HOST: not set"),
        ({"SMTP_HOST": "a b"}, "SMTP_HOST: must be"),
        ({"SMTP_URL": "http://mail.example"}, "SMTP_URL: must be"),
        ({"SMTP_URL": "smtp://"}, "SMTP_URL: must be"),
        ({"SMTP_URL": "smtp://mail.example:99999"}, "SMTP_URL: must be"),
        ({"SMTP_URL": "smtp://mail.example/path"}, "SMTP_URL: must end"),
        ({"SMTP_URL": "smtps://mail.example", "SMTP_TLS": "starttls"}, "SMTP_TLS: is starttls"),
        ({"SMTP_URL": "smtp://mail.example", "SMTP_TLS": "none"}, "SMTP_TLS: none is only"),
        ({"SMTP_HOST": "10.0.0.1", "SMTP_TLS": "none"}, "SMTP_TLS: none is only"),
        ({"SMTP_HOST": "mail.example", "SMTP_TLS": "on"}, "SMTP_TLS: must be"),
        ({"SMTP_HOST": "mail.example", "SMTP_PORT": "0"}, "SMTP_PORT: must be"),
        ({"SMTP_HOST": "mail.example", "SMTP_CONNECTIONS": "1000"}, "SMTP_CONNECTIONS: must be"),
        ({"SMTP_HOST": "mail.example", "SMTP_USER": "u"}, "SMTP_PASSWORD: not set"),
        ({"SMTP_HOST": "mail.example", "SMTP_PASSWORD": "p"}, "SMTP_USER: not set"),
        ({"SMTP_HOST": "mail.example", "SMTP_CA_FILE": __file__}, "SMTP_CA_FILE"),
    ],
)
def test_what_is_wrong_is_one_fault_that_says_what_to_do(env: dict[str, str], named: str) -> None:
    [fault] = find_faults(env)
    assert fault.startswith(named)


def test_no_password_is_shown() -> None:
    url = "smtp://ada:secret/word@mail.example"
    assert "secret" not in "".join(find_faults({"SMTP_URL": url}))
    settings = read_settings({"SMTP_URL": "smtp://ada:secret@mail.example"}, [])
    assert settings is not None
    assert "secret" not in repr(settings)
