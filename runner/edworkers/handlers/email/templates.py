"""Templates of mails: folders with a subject, HTML or MJML, and a text, in Jinja2.

    welcome/subject.txt     the subject, one line
    welcome/mjml.j2         the HTML as MJML, or html.j2, as HTML
    welcome/text.j2         the text; without it, it is made from the HTML
    welcome/example.json    variables to show it with

One's own folder goes before the templates that come with edworkers, and a folder of the same name replaces theirs.
What templates share lies in folders whose names begin with `_`, and is named from the top:
`{% extends "_base/mjml.j2" %}`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edworkers.handlers.email.kinds import kinds_on
from edworkers.handlers.email.missing import recording, strict
from edworkers.handlers.email.request import TEMPLATE_NAME

BUILT_IN = Path(__file__).parent / "templates"

_SUBJECT = "subject.txt"
_BODIES = ("html.j2", "mjml.j2")
_TEXT = "text.j2"
_EXAMPLE = "example.json"
_LINKS = ("https://", "http://", "mailto:")


class TemplateError(Exception):
    """A template that can't be used, or not with these variables; the text says which line it is about."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A filled in template. `missing` names the variables that were not given, where that was allowed."""

    subject: str
    html: str | None
    text: str | None
    missing: tuple[str, ...] = ()


class Templates:
    """The templates of a folder of one's own, and those that come with edworkers."""

    def __init__(self, folder: Path | None) -> None:
        self._folders = (BUILT_IN,) if folder is None else (folder, BUILT_IN)
        self._strict: Any = None

    def names(self) -> list[str]:
        """Name all templates."""
        return sorted({path.name for folder in self._folders for path in _templates_in(folder)})

    def folder_of(self, name: str) -> Path:
        """Find where a template lies. Raises TemplateError where there is none of this name."""
        if TEMPLATE_NAME.fullmatch(name):
            for folder in self._folders:
                if (folder / name / _SUBJECT).is_file():
                    return folder / name
        raise TemplateError(f"there is no template {name[:63]!r}; there are: {', '.join(self.names())}")

    def example(self, name: str) -> dict[str, Any]:
        """Give the variables to show a template with; none where it brings none. Raises TemplateError."""
        path = self.folder_of(name) / _EXAMPLE
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError, OSError) as error:
            raise TemplateError(f"{name}/{_EXAMPLE}: must be a JSON object: {error}") from None

    def render(self, name: str, variables: Mapping[str, Any]) -> Rendered:
        """Fill a template in. Raises TemplateError, which names a variable that is missing and the line it is for."""
        if self._strict is None:
            self._strict = _environment(self._folders, strict())
        return self._render(self._strict, name, variables)

    def preview(self, name: str, variables: Mapping[str, Any]) -> Rendered:
        """Fill a template in, with a mark in place of each variable that is missing. Raises TemplateError."""
        undefined, missing = recording()
        found = self._render(_environment(self._folders, undefined), name, variables)
        return Rendered(found.subject, found.html, found.text, tuple(dict.fromkeys(missing)))

    def _render(self, environment: Any, name: str, variables: Mapping[str, Any]) -> Rendered:
        folder = self.folder_of(name)
        files = [file for file in (_SUBJECT, *_BODIES, _TEXT) if (folder / file).is_file()]
        filled = {file: _fill(environment, f"{name}/{file}", variables) for file in files}
        html = filled.get("html.j2")
        if "mjml.j2" in filled:
            html = _html_of(filled["mjml.j2"], f"{name}/mjml.j2")
        return Rendered(_subject(filled[_SUBJECT], name), html, filled.get(_TEXT))


def find_template_faults(folder: Path) -> list[str]:
    """Say what is wrong with the templates of a folder, each fault with its file and line."""
    from jinja2 import TemplateError as JinjaError
    from jinja2 import TemplateSyntaxError

    if not folder.is_dir():
        return [f"{folder}: there is no such folder"]
    environment = _environment((folder, BUILT_IN), strict())
    faults = [fault for path in _folders_in(folder) for fault in _layout_faults(path)]
    for path in sorted([*folder.glob("*/*.j2"), *folder.glob(f"*/{_SUBJECT}")]):
        try:
            environment.get_template(path.relative_to(folder).as_posix())
        except TemplateSyntaxError as error:
            faults.append(f"{path}, line {error.lineno}: {error.message}")
        except (JinjaError, OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}: {error}")
    return faults


def _layout_faults(path: Path) -> list[str]:
    if not TEMPLATE_NAME.fullmatch(path.name):
        return [f"{path}: the name of a template has only a-z, 0-9 and -"]
    faults = [] if (path / _SUBJECT).is_file() else [f"{path}: there is no {_SUBJECT}"]
    there = [file for file in _BODIES if (path / file).is_file()]
    if len(there) == 2:
        faults.append(f"{path}: there are html.j2 and mjml.j2: take one away")
    if not there and not (path / _TEXT).is_file():
        faults.append(f"{path}: there is neither html.j2 nor mjml.j2 nor {_TEXT}")
    return faults


def _folders_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] not in "._")


def _templates_in(folder: Path) -> Iterator[Path]:
    return (path for path in _folders_in(folder) if (path / _SUBJECT).is_file() and TEMPLATE_NAME.fullmatch(path.name))


def _environment(folders: tuple[Path, ...], undefined: Any) -> Any:
    from jinja2 import FileSystemLoader
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([str(folder) for folder in folders]),
        autoescape=_is_markup,
        undefined=undefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = _link
    return environment


def _is_markup(name: str | None) -> bool:
    return name is None or not name.endswith((f"/{_SUBJECT}", f"/{_TEXT}"))


def _link(value: Any) -> Any:
    """Refuse what would do something else than to open a page or a mail, when somebody clicks on it."""
    from jinja2 import Undefined

    if isinstance(value, Undefined) or str(value).strip().lower().startswith(_LINKS):
        return value
    raise TemplateError(f"{str(value)[:80]!r} is no link: it must begin with https://, http:// or mailto:")


def _fill(environment: Any, path: str, variables: Mapping[str, Any]) -> str:
    from jinja2 import TemplateSyntaxError, UndefinedError

    try:
        return str(environment.get_template(path).render(variables))
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.name or path}, line {error.lineno}: {error.message}") from None
    except Exception as error:  # noqa: BLE001 - a template can raise whatever its expressions do
        said = str(error) or type(error).__name__
        place, file, line = _where(error, path)
        is_told = isinstance(error, TemplateError | UndefinedError)
        kinds = "" if is_told or file is None else kinds_on(file, line, variables)
        raise TemplateError(f"{place}: {said}{kinds}") from None


def _where(error: BaseException, path: str) -> tuple[str, Path | None, int]:
    """Find the file and line of a template that an error comes from; Jinja puts them into the traceback."""
    place: tuple[str, Path | None, int] = (path, None, 0)
    step = error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.name in {_SUBJECT, _TEXT, *_BODIES} or file.suffix == ".j2":
            place = (f"{file.parent.name}/{file.name}, line {step.tb_lineno}", file, step.tb_lineno)
        step = step.tb_next
    return place


def _html_of(mjml: str, path: str) -> str:
    import mrml

    try:
        return str(mrml.to_html(mjml).content)
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path}: is no MJML when it is filled in: {error}") from None


def _subject(text: str, name: str) -> str:
    subject = text.strip()
    if not subject or len(subject.splitlines()) != 1:
        raise TemplateError(f"{name}/{_SUBJECT}: must come to one line, not {subject[:80]!r}")
    return subject
