"""Where the program of LibreOffice is."""

import os
import shutil
from collections.abc import Mapping

from edworkers.adapters.libreoffice.sealed import can_seal
from edworkers.adapters.libreoffice.sockets import FOLDERS

VARIABLE = "EDWORKERS_SOFFICE"
_USUAL = "soffice"
_HOW_TO_INSTALL = (
    "apt-get install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui libreoffice-draw-nogui, "
    f"or take the image edworkers-documents; {VARIABLE} may say where it is"
)


def find_program(env: Mapping[str, str]) -> str | None:
    """Give the path of `soffice`: that of EDWORKERS_SOFFICE, else the first on PATH; None where there is none."""
    return shutil.which(env.get(VARIABLE, "").strip() or _USUAL, path=env.get("PATH"))


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is missing for LibreOffice to run, a line each."""
    faults: list[str] = []
    if find_program(env) is None:
        wanted = env.get(VARIABLE, "").strip()
        where = f"{VARIABLE}: there is no program {wanted}" if wanted else "LibreOffice's soffice is not on PATH"
        faults.append(f"{where}: {_HOW_TO_INSTALL}")
    if not can_seal():
        faults.append(
            "LibreOffice is run only where it can be kept off the network, which is on Linux on x86_64 or aarch64"
        )
    if not any(os.access(folder, os.W_OK) for folder in FOLDERS):
        faults.append("LibreOffice needs a /tmp that can be written to, such as an emptyDir, for its local socket")
    return faults
