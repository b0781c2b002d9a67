"""The manifests that the documentation shows."""

import pytest
from tests.cluster.kube import Kube, eventually
from tests.cluster.release import TOP

pytestmark = pytest.mark.timeout(240)

EXAMPLES = sorted((TOP / "manifests" / "examples").glob("*.yaml"))


def test_every_example_is_taken_as_it_stands_and_becomes_ready(kube: Kube) -> None:
    files = [word for path in EXAMPLES for word in ("-f", str(path))]
    try:
        said = kube.run("apply", *files)
        assert said.split("\n")[:-1] == [f"workerpool.edworkers.dev/{path.stem} created" for path in EXAMPLES]
        kube.until_ready(*(path.stem for path in EXAMPLES))
        tasks = ("backup", "logins", "notifications", "token-cleanup")
        found = {job["metadata"]["name"] for job in kube.find("cronjobs", "edworkers.dev/pool=scheduled")}
        assert found == {f"scheduled-{task}" for task in tasks}
    finally:
        kube.run("delete", *files, "--ignore-not-found", "--wait=true")
    eventually(lambda: not kube.find("scaledobjects"), lambda: kube.run("get", "scaledobjects"))
