"""A pool's objects are found again by their names and labels."""

from tests.unit.render_cases import KEDA, pool

from edworkers_operator.naming import (
    CHILD_KINDS,
    FIELD_MANAGER,
    POOL_LABEL,
    child_name,
    cron_job_name,
    deployment_name,
    known_kinds,
    labels,
    selector,
)
from edworkers_operator.settings import Capabilities
from edworkers_operator.workerpool import LONGEST_POOL_NAME


def test_the_objects_of_a_pool_share_its_name() -> None:
    assert child_name(pool("ai")) == deployment_name(pool("ai")) == "edworkers-ai"


def test_the_name_of_the_longest_pool_can_still_be_the_value_of_a_label() -> None:
    assert len(child_name(pool("p" * LONGEST_POOL_NAME))) == 63


def test_a_cron_job_is_named_for_its_pool_and_schedule() -> None:
    with_schedule = pool("ai", schedules=[{"name": "cleanup", "schedule": "0 3 * * *"}])
    assert cron_job_name(with_schedule, with_schedule.spec.schedules[0]) == "ai-cleanup"


def test_everything_of_a_pool_says_whose_it_is_and_who_made_it() -> None:
    assert labels(pool("ai")) == {
        "app.kubernetes.io/name": "edworkers",
        "app.kubernetes.io/component": "runner",
        "app.kubernetes.io/instance": "ai",
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        POOL_LABEL: "ai",
    }


def test_runners_are_selected_and_nothing_else_of_the_pool() -> None:
    chosen = selector(pool("ai")).items()
    assert chosen <= labels(pool("ai")).items()
    assert not chosen <= labels(pool("ai"), "scheduler").items()
    assert not chosen <= labels(pool("other")).items()


def test_every_kind_is_listed_once() -> None:
    assert len({kind.kind for kind in CHILD_KINDS}) == len({kind.plural for kind in CHILD_KINDS}) == len(CHILD_KINDS)


def test_only_kinds_that_the_cluster_has_are_looked_for() -> None:
    own = {kind.kind for kind in known_kinds(Capabilities())}
    with_keda = {kind.kind for kind in known_kinds(KEDA)}
    assert with_keda - own == {"ScaledObject", "TriggerAuthentication"}
    assert known_kinds(Capabilities(keda=True, pod_monitor=True)) == list(CHILD_KINDS)
    assert "PodMonitor" not in with_keda
