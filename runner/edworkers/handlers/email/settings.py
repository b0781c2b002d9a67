"""What the environment says of mails: from whom, how large, with which templates, and signed with what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edworkers.adapters import smtp, storage
from edworkers.handlers.email.own_headers import check_unsubscribe
from edworkers.handlers.email.signature import DkimKey, read_key
from edworkers.handlers.email.templates import Templates, find_template_faults
from edworkers.handlers.environment import not_installed, whole_number
from edworkers.handlers.mail_addresses import Address, parse_address

_PACKAGES = ("aiosmtplib", "dkim", "idna", "jinja2", "mrml", "obstore")
_MOST_BYTES = 25 * 1024 * 1024
_LIMIT = 1024**3


@dataclass(frozen=True, slots=True)
class MailSettings:
    """What holds for every mail. `most_bytes` is how large a message may be as it is sent."""

    sender: Address
    smtp: smtp.SmtpSettings
    templates: Templates
    most_bytes: int = _MOST_BYTES
    unsubscribe: tuple[str, ...] = ()
    dkim: DkimKey | None = field(default=None, repr=False)


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment, everything at once."""
    missing = not_installed("email", *_PACKAGES)
    if missing:
        return missing
    faults = storage.find_faults(env)
    read_settings(env, faults)
    return faults


def read_settings(env: Mapping[str, str], faults: list[str]) -> MailSettings | None:
    """Read the settings; each thing that is wrong is one more fault, and None is given then."""
    before = len(faults)
    server = smtp.read_settings(env, faults)
    sender = _sender(env, faults)
    folder = _folder(env, faults)
    unsubscribe = _unsubscribe(env, faults)
    most = whole_number(env, "MAIL_MAX_BYTES", faults, maximum=_LIMIT) or _MOST_BYTES
    key = read_key(env, faults)
    if len(faults) > before or server is None or sender is None:
        return None
    return MailSettings(sender, server, Templates(folder), most, unsubscribe, key)


def template_folder(env: Mapping[str, str]) -> Path | None:
    """Give the folder of one's own templates, if there is one."""
    text = env.get("MAIL_TEMPLATES", "").strip()
    return Path(text) if text else None


def _sender(env: Mapping[str, str], faults: list[str]) -> Address | None:
    text = env.get("MAIL_FROM", "").strip()
    if not text:
        faults.append("MAIL_FROM: not set; give the address that mail comes from, such as School <mail@school.example>")
        return None
    try:
        return parse_address(text)
    except ValueError as error:
        faults.append(f"MAIL_FROM: {error}")
        return None


def _folder(env: Mapping[str, str], faults: list[str]) -> Path | None:
    folder = template_folder(env)
    if folder is not None:
        faults += [f"MAIL_TEMPLATES: {fault}" for fault in find_template_faults(folder)]
    return folder


def _unsubscribe(env: Mapping[str, str], faults: list[str]) -> tuple[str, ...]:
    try:
        return tuple(check_unsubscribe(env.get("MAIL_LIST_UNSUBSCRIBE", "").replace(",", " ").split()))
    except ValueError as error:
        faults.append(f"MAIL_LIST_UNSUBSCRIBE: {error}")
        return ()
