"""Named reports: files of SQL in a folder, which say at their beginning what they are and which parameters they take.

-- title: Logins by day
-- columns: Day, Logins
-- parameters: school text, since date, most integer optional
-- seconds: 60
SELECT day, count(*) FROM logins WHERE school = %(school)s AND day >= %(since)s GROUP BY day ORDER BY day
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edworkers.handlers.scheduled.report_parameters import TYPES, Parameter

FOLDER = "REPORTS_FOLDER"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

_LINE = re.compile(r"--\s*(\w+)\s*:\s*(.*?)\s*")
_PARAMETER = re.compile(r"([a-z_][a-z0-9_]{0,62})\s+([a-z]+)(\s+optional)?")
_PLACEHOLDER = re.compile(r"%(?:\(([^)]*)\)s|(.)|$)", re.DOTALL)
_KEYS = ("title", "columns", "parameters", "seconds")
_USUAL_SECONDS, _MOST_SECONDS = 300, 1700
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its query and what is said of it."""

    name: str
    query: str
    title: str
    columns: tuple[str, ...] = ()
    """Headings; none for the names that the query gives."""
    parameters: tuple[Parameter, ...] = ()
    seconds: int = _USUAL_SECONDS
    """How long the server may work on it."""
    faults: list[str] = field(default_factory=list[str], compare=False)


def read_report(name: str, text: str) -> Report:
    """Read a report's file; what is wrong with it is in its `faults`."""
    head: dict[str, str] = {}
    lines = text.splitlines()
    faults: list[str] = []
    while lines and (found := _LINE.fullmatch(lines[0].strip())):
        if found[1] not in _KEYS or found[1] in head:
            faults.append(f"its line {found[0]!r} is none of {', '.join(_KEYS)}, each of which may be there once")
        head[found[1]] = found[2]
        del lines[0]
    query = "\n".join(lines).strip().rstrip(";").strip()
    parameters = _parameters(head.get("parameters", ""), faults)
    if not query:
        faults.append("it has no query")
    faults += _faults_of_placeholders(query, {parameter.name for parameter in parameters})
    columns = tuple(column.strip() for column in head.get("columns", "").split(",") if column.strip())
    seconds = _seconds(head.get("seconds", ""), faults)
    return Report(name, query, head.get("title") or name, columns, parameters, seconds, faults)


def _parameters(text: str, faults: list[str]) -> tuple[Parameter, ...]:
    found: dict[str, Parameter] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        match = _PARAMETER.fullmatch(part)
        if match is None or match[2] not in TYPES or match[1] in found:
            faults.append(f"its parameter {part!r} must be a name of its own and one of {', '.join(TYPES)}")
        else:
            found[match[1]] = Parameter(match[1], match[2], optional=match[3] is not None)
    return tuple(found.values())


def _faults_of_placeholders(query: str, declared: set[str]) -> list[str]:
    found = list(_PLACEHOLDER.finditer(query))
    used = {match[1] for match in found if match[1] is not None}
    wild = any(match[1] is None and match[2] != "%" for match in found)
    faults = ["it has a % that is no parameter: write %%"] if wild else []
    faults += [
        f"it uses the parameter {name}, which its line `-- parameters:` doesn't have"
        for name in sorted(used - declared)
    ]
    return faults + [f"its parameter {name} is used nowhere" for name in sorted(declared - used)]


def _seconds(text: str, faults: list[str]) -> int:
    if not text:
        return _USUAL_SECONDS
    if text.isdecimal() and 1 <= int(text[:9]) <= _MOST_SECONDS:
        return int(text)
    faults.append(f"its seconds must be a number from 1 to {_MOST_SECONDS}, not {text[:40]!r}")
    return _USUAL_SECONDS


def find_reports(env: Mapping[str, str]) -> dict[str, Report] | None:
    """Read all reports; None where there is no folder of them."""
    folder = env.get(FOLDER, "").strip()
    if not folder or not Path(folder).is_dir():
        return None
    files = sorted(Path(folder).glob("*.sql"))
    return {path.stem: _read_file(path) for path in files}


def _read_file(path: Path) -> Report:
    fault = None
    if not NAME.fullmatch(path.stem):
        fault = "its name must be small letters, digits, - and _"
    elif path.stat().st_size > _LARGEST:
        fault = f"it has more than {_LARGEST} bytes"
    if fault is None:
        try:
            return read_report(path.stem, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            fault = f"it can't be read: {error}"
    return Report(path.stem, "", path.stem, faults=[fault])


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the folder of reports, and with each of them; nothing where there is none."""
    if not env.get(FOLDER, "").strip():
        return []
    reports = find_reports(env)
    if reports is None:
        return [f"{FOLDER}: there is no folder {env[FOLDER].strip()!r}; make it, or mount it there"]
    return [f"{FOLDER}: {name}.sql: {fault}" for name, report in reports.items() for fault in report.faults]
