"""A runner's name tells its pod, where it is told that."""

from edworkers.compose import runner_name


def test_a_runner_in_a_pod_is_named_after_it() -> None:
    assert runner_name({"EDWORKERS_RUNNER_NAME": "edworkers-ai-6d8f-x2v9k"}).startswith("edworkers-ai-6d8f-x2v9k.")


def test_two_runners_of_one_pod_have_names_of_their_own() -> None:
    env = {"EDWORKERS_RUNNER_NAME": "edworkers-ai-6d8f-x2v9k"}
    assert runner_name(env) != runner_name(env)


def test_a_runner_elsewhere_has_a_name_without_dots() -> None:
    assert "." not in runner_name({})
