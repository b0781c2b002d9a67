"""Values that can't be meant are refused with words that help; notes tell what to do next."""

from typing import Any

import pytest
from tests.chart.helm import CHART, RELEASE, helm, refusal
from tests.chart.values_to_try import CASES, EXTERNAL

KEDA = ["--api-versions", "keda.sh/v1alpha1"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"operator": {"replica": 2}}, ["/operator", "'replica' not allowed"]),
        ({"operator": {"replicas": 0}}, ["/operator/replicas", "minimum"]),
        ({"image": {"pullPolicy": "Sometimes"}}, ["/image/pullPolicy", "'IfNotPresent'"]),
        ({"redis": {"bundled": {"image": {"tag": 7.4}}}}, ["/redis/bundled/image/tag", "want string"]),
        ({"redis": {"bundled": {"maxMemory": "1Gi"}}}, ["/redis/bundled/maxMemory", "kb|mb|gb"]),
        ({"redis": {"external": {"mode": "single"}}}, ["/redis/external/mode", "'sentinel'"]),
        ({"webhook": {"secret": "plain"}}, ["/webhook/secret", "whsec_"]),
        ({"pools": {"mine": {"enabled": True, "spec": {"queue": "mine"}}}}, ["/pools/mine/spec", "'handlers'"]),
        (
            {"pools": {"Mine": {"enabled": False, "spec": {"queue": "m", "handlers": "m"}}}},
            ['"Mine" is no name for a pool'],
        ),
        ({"pool": {}}, ["'pool' not allowed"]),
        ({"smtp": {"host": "mail.example"}}, ["/smtp", "'host' not allowed"]),
        ({"storage": {"existingSecret": 7}}, ["/storage/existingSecret", "want string"]),
        ({"database": {"url": "postgresql://a@b/c"}}, ["/database", "'url' not allowed"]),
        ({"redis": {"external": {"addresses": ["r.example:1"]}}}, ["set redis.bundled.enabled=false"]),
        ({"redis": {"bundled": {"enabled": False}}}, ["give the address of a Redis"]),
        (
            {"redis": EXTERNAL | {"external": {"addresses": ["redis://r.example:1"]}}},
            ['"redis://r.example:1" is no host:port'],
        ),
        (
            {"redis": EXTERNAL | {"external": {"mode": "sentinel", "addresses": ["a:1"], "database": 1}}},
            ["redis.external.master"],
        ),
        (
            {"redis": EXTERNAL | {"external": {"mode": "cluster", "addresses": ["a:1"], "database": 1}}},
            ["only database 0"],
        ),
        (
            {"operator": {"watchNamespaces": ["elsewhere"]}},
            ["the pool ai", "the pool document", "the pool webhook", "is not among them"],
        ),
        ({"serviceAccount": {"create": False}}, ["serviceAccount.name"]),
        (
            {"pools": {"redis": {"enabled": True, "spec": {"queue": "redis", "handlers": "mine"}}}},
            ["would be named edworkers-redis", "name the pool otherwise"],
        ),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], words: list[str]) -> None:
    said = refusal(values)
    for word in words:
        assert word in said


def test_all_faults_are_told_at_once() -> None:
    said = refusal({"redis": {"external": {"addresses": ["a"], "mode": "sentinel"}}})
    assert "is no host:port" in said
    assert "redis.bundled.enabled=false" in said
    assert "redis.external.master" in said


@pytest.mark.parametrize("case", CASES)
def test_the_chart_is_well_written(case: str) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--namespace", "jobs", values=CASES[case])


def notes(values: dict[str, Any], *words: str) -> str:
    command = ("install", RELEASE, str(CHART), "--namespace", "jobs", "--dry-run=client", *words)
    return helm(*command, values=values).partition("\nNOTES:\n")[2]


def test_the_notes_say_loudly_that_keda_is_missing() -> None:
    assert "KEDA IS MISSING" in notes({})


ALL = {name: {"existingSecret": name} for name in ("gemini", "storage", "smtp", "database")}


def test_the_notes_say_loudly_which_pools_wait_for_what() -> None:
    said = notes({})
    assert "SUSPENDED: ai, document, email, scheduled" in said
    for name in ("gemini", "storage", "smtp", "database"):
        assert f"kubectl -n jobs create secret generic {name}" in said
        assert f"--set {name}.existingSecret={name}" in said
    assert "SUSPENDED: document, email." in notes(ALL | {"storage": {}, "smtp": {}})
    assert "SUSPENDED" not in notes(ALL)


def test_the_notes_say_nothing_of_pools_that_are_off() -> None:
    off = {"pools": {name: {"enabled": False} for name in ("ai", "document", "email")}}
    assert "SUSPENDED: scheduled." in notes(off)


def test_the_notes_say_how_to_push_a_job_and_what_to_look_at() -> None:
    said = notes({"gemini": {"apiKey": "a-key"}})
    assert "exec edworkers-redis-0 -- redis-cli LPUSH 'edworkers:{ai}:pending'" in said
    assert "kubectl -n jobs get workerpools" in said
    assert "port-forward service/edworkers-redis" in said
    assert "redis-cli -h redis.example.internal -p 6380 LPUSH" in notes({"redis": EXTERNAL})


def test_the_notes_keep_secrets_to_themselves() -> None:
    said = notes({"gemini": {"apiKey": "of-gemini"}, "redis": {"password": "of-redis"}})
    assert "of-gemini" not in said
    assert "of-redis" not in said
