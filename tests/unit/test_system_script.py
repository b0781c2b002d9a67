"""`scripts/system.py`, with a PATH of the test's own and an apt-get that only writes down what it is asked."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "system.py"

APT_GET = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
policy = here.parent / "policy-rc.d"
with (here.parent / "calls").open("a") as calls:
    frontend = os.environ.get("DEBIAN_FRONTEND")
    said = policy.read_text() if policy.exists() else None
    runs = os.access(policy, os.X_OK)
    calls.write(json.dumps({{"words": sys.argv[1:], "frontend": frontend, "policy": said, "runs": runs}}) + "\\n")
{body}
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("system_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


system = load()


class Machine:
    """A machine with nothing on its PATH but what the test puts there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self.path.mkdir()
        self.policy = folder / "policy-rc.d"
        self.log = folder / "calls"

    def add(self, program: str, text: str = "#!/bin/sh\n") -> None:
        file = self.path / program
        file.write_text(text)
        file.chmod(0o755)

    def add_apt_get(self, body: str = "") -> None:
        self.add("apt-get", APT_GET.format(python=sys.executable, body=body))

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def run(self, *programs: str, is_root: bool = True) -> int:
        return int(system.main(programs, is_root=is_root, policy=self.policy))


def installs(*programs: str) -> str:
    """What a fake apt-get does to put programs on the PATH."""
    return f"""
if "install" in sys.argv:
    for program in {programs!r}:
        (here / program).write_text("#!/bin/sh\\n")
        (here / program).chmod(0o755)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(made.path))
    return made


Read = Callable[[], tuple[str, str]]


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Read:
    def said() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return said


def test_a_program_that_is_there_is_passed_over_in_silence(machine: Machine) -> None:
    machine.add("redis-server")
    machine.add_apt_get()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "redis-server"],
        env={"PATH": str(machine.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls == []


def test_valkey_does_for_redis(machine: Machine, read: Read) -> None:
    machine.add("valkey-server")
    machine.add_apt_get()
    assert machine.run("redis-server") == 0
    assert read() == ("", "")
    assert machine.calls == []


def test_what_is_missing_is_installed_by_root_and_told_in_one_line(machine: Machine, read: Read) -> None:
    machine.add_apt_get(installs("redis-server"))
    assert machine.run("redis-server") == 0
    out, err = read()
    assert out == "installing redis-server with apt-get, for redis-server\n"
    assert err == ""


def test_apt_get_brings_its_lists_up_to_date_first_and_asks_nothing(machine: Machine) -> None:
    machine.add_apt_get(installs("redis-server"))
    machine.run("redis-server")
    update, install = machine.calls
    assert update["words"][-1] == "update"
    assert install["words"][-4:] == ["install", "--yes", "--no-install-recommends", "redis-server"]
    assert {call["frontend"] for call in machine.calls} == {"noninteractive"}


def test_the_service_of_what_is_installed_is_not_started(machine: Machine) -> None:
    machine.add_apt_get(installs("redis-server"))
    machine.run("redis-server")
    during = machine.calls[-1]
    assert during["policy"].endswith("exit 101\n")
    assert during["runs"]
    assert not machine.policy.exists()


def test_a_policy_that_the_machine_has_is_left_as_it_is(machine: Machine) -> None:
    machine.policy.write_text("its own")
    machine.add_apt_get(installs("redis-server"))
    assert machine.run("redis-server") == 0
    assert machine.calls[-1]["policy"] == "its own"
    assert machine.policy.read_text() == "its own"


def test_several_programs_of_one_package_are_installed_together_and_once(machine: Machine) -> None:
    machine.add("redis-server")
    machine.add_apt_get(installs("node", "npm"))
    assert machine.run("redis-server", "node", "npm") == 0
    assert machine.calls[-1]["words"][-2:] == ["nodejs", "npm"]


def test_one_who_is_not_root_is_told_exactly_what_to_install(machine: Machine, read: Read) -> None:
    machine.add_apt_get()
    assert machine.run("redis-server", "npm", is_root=False) == 1
    out, err = read()
    assert out == ""
    assert "not on the PATH: redis-server, npm" in err
    assert "apt-get install redis-server nodejs npm" in err
    assert machine.calls == []


def test_root_without_apt_get_is_told_what_to_install(machine: Machine, read: Read) -> None:
    assert machine.run("redis-server") == 1
    assert "apt-get install redis-server" in read()[1]


@pytest.mark.parametrize("step", ["update", "install"])
def test_a_failing_apt_get_is_shown_and_leaves_no_policy_behind(machine: Machine, read: Read, step: str) -> None:
    machine.add_apt_get(f"if {step!r} in sys.argv: sys.exit('E: the mirror is gone')")
    assert machine.run("redis-server") == 1
    err = read()[1]
    assert "E: the mirror is gone" in err
    assert "apt-get install redis-server" in err
    assert not machine.policy.exists()


def test_a_program_that_is_missing_even_so_is_a_fault(machine: Machine, read: Read) -> None:
    machine.add_apt_get(installs("something-else"))
    assert machine.run("redis-server") == 1
    assert "still not on the PATH: redis-server" in read()[1]


def test_a_program_of_no_known_package_is_looked_for_by_its_own_name(machine: Machine) -> None:
    machine.add_apt_get(installs("chromium"))
    assert machine.run("chromium") == 0
    assert machine.calls[-1]["words"][-1] == "chromium"


def test_what_puts_nothing_on_the_path_is_known_by_its_files(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    here, missing = machine.path.parent / "bridge", machine.path.parent / "loopback"
    here.touch()
    monkeypatch.setitem(system.ELSEWHERE, "plugins", (str(here), str(missing)))
    machine.add_apt_get(f"if 'install' in sys.argv: pathlib.Path({str(missing)!r}).touch()")
    assert machine.run("plugins") == 0
    assert machine.run("plugins") == 0
    assert [call["words"][-1] for call in machine.calls] == ["update", "plugins"]
