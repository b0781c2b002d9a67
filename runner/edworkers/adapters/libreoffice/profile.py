"""The settings of the profile that LibreOffice is given: nothing that a document brings is run or fetched."""

from pathlib import Path

_OPEN = '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items xmlns:oor="http://openoffice.org/2001/registry">\n'
_CLOSE = "</oor:items>\n"
_SCRIPTING = "/org.openoffice.Office.Common/Security/Scripting"

SETTINGS: tuple[tuple[str, str, str], ...] = (
    # Macros never run: 3 is the highest level, and the switch beside it is the one that holds for all kinds.
    (_SCRIPTING, "MacroSecurityLevel", "3"),
    (_SCRIPTING, "DisableMacrosExecution", "true"),
    # In later versions: no OLE objects, no scripts, no DDE.
    (_SCRIPTING, "DisableActiveContent", "true"),
    # What a document links to is neither loaded nor looked for.
    (_SCRIPTING, "BlockUntrustedRefererLinks", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "0"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "1"),
    ("/org.openoffice.Office.Common/Load", "UpdateDocMode", "0"),
    # No windows, hints and files for the case of a crash, for which nobody is there.
    ("/org.openoffice.Office.Common/Misc", "FirstRun", "false"),
    ("/org.openoffice.Office.Common/Misc", "CrashReport", "false"),
    ("/org.openoffice.Office.Common/Save/Document", "AutoSave", "false"),
    ("/org.openoffice.Office.Recovery/RecoveryInfo", "Enabled", "false"),
    # No Java, which would take seconds and memory.
    ("/org.openoffice.Office.Java/VirtualMachine", "Enable", "false"),
)
"""Path, name and value of each setting."""


def write_profile(folder: Path) -> None:
    """Write a profile into a folder that is not there yet."""
    user = folder / "user"
    user.mkdir(parents=True)
    items = (
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>\n'
        for path, name, value in SETTINGS
    )
    (user / "registrymodifications.xcu").write_text("".join([_OPEN, *items, _CLOSE]), encoding="utf-8")
