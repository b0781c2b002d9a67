"""`edworkers mail …`: the templates that there are, and how they look filled in."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from edworkers import pools
from edworkers.cli.exits import ExitCode
from edworkers.cli.show import note, print_json, print_table, say
from edworkers.core.errors import SettingsError
from edworkers.handlers.environment import not_installed

_SENDER, _RECEIVER = "Preview <preview@mail.example>", "Ada Lovelace <ada@school.example>"


def show_templates(*, as_json: bool) -> None:
    """List the templates. Raises SettingsError where they can't be used."""
    templates = _templates()
    rows = [(name, sorted(templates.example(name)), str(templates.folder_of(name))) for name in templates.names()]
    if as_json:
        print_json([{"name": name, "variables": known, "folder": folder} for name, known, folder in rows])
    else:
        print_table(("name", "variables", "folder"), [(name, ", ".join(known), folder) for name, known, folder in rows])


def show_preview(name: str, variables: str | None, form: str | None, file: Path | None) -> ExitCode:
    """Show a template filled in; 1 where a variable is missing. Raises SettingsError where it can't be."""
    from edworkers.handlers.email.templates import TemplateError

    templates = _templates()
    try:
        given = templates.example(name) if variables is None else _object(variables)
        filled = templates.preview(name, given)
        shown = _shown(filled, form or _form_of(file))
    except (TemplateError, ValueError) as error:
        raise SettingsError("the template can't be shown:", [str(error)]) from error
    if file is None:
        sys.stdout.write(shown) if form == "eml" else say(shown.rstrip("\n"))
    else:
        _write(file, shown)
    for missing in filled.missing:
        note(f"the variable {missing!r} is missing: a job without it would be buried")
    return ExitCode.FAILED if filled.missing else ExitCode.OK


def _templates() -> Any:
    missing = not_installed("email", "jinja2", "mrml", "idna")
    if missing:
        raise SettingsError("templates can't be used:", missing)
    from edworkers.handlers.email.settings import template_folder
    from edworkers.handlers.email.templates import Templates, find_template_faults

    folder = template_folder(pools.read_environment())
    faults = [] if folder is None else find_template_faults(folder)
    if faults:
        raise SettingsError("the templates can't be used:", [f"MAIL_TEMPLATES: {fault}" for fault in faults])
    return Templates(folder)


def _object(text: str) -> dict[str, Any]:
    try:
        given = from_json(text)
    except ValueError as error:
        raise SettingsError("the template can't be shown:", [f"--variables: no JSON: {error}"]) from error
    if not isinstance(given, dict):
        raise SettingsError("the template can't be shown:", ['--variables: must be an object, such as {"name": "Ada"}'])
    return cast("dict[str, Any]", given)


def _form_of(file: Path | None) -> str | None:
    return None if file is None else {".eml": "eml", ".txt": "text"}.get(file.suffix.lower(), "html")


def _shown(filled: Any, form: str | None) -> str:
    from edworkers.handlers.email.plain_text import text_of

    text = filled.text if filled.text is not None else text_of(filled.html or "")
    match form:
        case "html":
            return str(filled.html if filled.html is not None else f"<pre>{text}</pre>\n")
        case "text":
            return str(text)
        case "eml":
            return _message(filled)
        case _:
            return f"Subject: {filled.subject}\n\n{text}"


def _message(filled: Any) -> str:
    from edworkers.handlers.email.message import Content, write_message
    from edworkers.handlers.email.request import EmailData
    from edworkers.handlers.mail_addresses import parse_address

    data = EmailData.model_validate({"to": _RECEIVER, "subject": filled.subject, "text": "."})
    message = write_message(
        data,
        Content(filled.subject, filled.html, filled.text),
        [],
        sender=parse_address(_SENDER),
        message_id="<preview@mail.example>",
        unsubscribe=(),
        now=datetime.now(UTC),
    )
    return message.decode()


def _write(file: Path, shown: str) -> None:
    try:
        file.write_bytes(shown.encode())
    except OSError as error:
        raise SettingsError("the preview can't be written:", [f"{file}: {error.strerror or error}"]) from error
    note(f"written: {file}")
