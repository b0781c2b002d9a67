"""Every command knows the queues of the file that an operator keeps up to date."""

from pathlib import Path

import pytest

from edworkers import pools
from edworkers.core.errors import SettingsError, UnknownQueueError
from edworkers.core.settings import PoolSpec

MANIFEST = """
apiVersion: edworkers.dev/v1alpha1
kind: WorkerPool
spec: {queue: grading, handlers: school.grading, retention: {deadSeconds: 60}}
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "pools.yaml").write_text(MANIFEST)
    return {"EDWORKERS_POOLS": str(tmp_path / "pools.yaml")}


def test_a_queue_of_the_file_is_known_with_its_settings(env: dict[str, str]) -> None:
    assert pools.find_spec("grading", env).retention.dead_seconds == 60


def test_queues_of_the_platform_are_known_besides(env: dict[str, str]) -> None:
    assert pools.find_spec("ai", env).limits
    assert {spec.queue for spec in pools.known_specs(env)} >= {"ai", "webhook", "grading"}


def test_a_pool_of_the_environment_comes_before_the_file(env: dict[str, str]) -> None:
    own = {**env, "EDWORKERS_POOL": '{"queue":"grading","handlers":"school.own"}'}
    assert pools.find_spec("grading", own).handlers == "school.own"


@pytest.mark.parametrize("text", ["", None])
def test_an_operator_without_pools_leaves_the_platforms_queues(
    text: str | None, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "pools.yaml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert isinstance(pools.find_spec("ai", env), PoolSpec)
    with pytest.raises(UnknownQueueError):
        pools.find_spec("grading", env)


def test_queues_that_are_given_are_those_of_a_manifest_or_of_the_environment(
    env: dict[str, str], tmp_path: Path
) -> None:
    assert pools.given_queues(env) == []  # the operator's file has them besides the platform's
    assert pools.given_queues(env, tmp_path / "pools.yaml") == ["grading"]
    assert pools.given_queues({"EDWORKERS_POOL": '{"queue":"own","handlers":"school.own"}'}) == ["own"]


def test_a_runner_takes_the_one_queue_of_its_manifest(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    assert pools.queues_to_run([], env, file) == ["grading"]
    assert pools.queues_to_run(["ai"], env, file) == ["ai"]
    file.write_text(f"{MANIFEST}---\n{MANIFEST.replace('grading', 'second')}")
    with pytest.raises(SettingsError, match="edworkers run QUEUE, one or several of those of the manifest: grading, "):
        pools.queues_to_run([], env, file)
    with pytest.raises(SettingsError, match=r"edworkers run QUEUE, one or several of those there are: ai, webhook"):
        pools.queues_to_run([], {})


def test_a_file_that_cant_be_used_is_named(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text("kind: Deployment")
    with pytest.raises(SettingsError, match=r"pools\.yaml"):
        pools.known_specs(env)
