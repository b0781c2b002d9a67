"""What the operator's environment may say, and what is said of one that can't be used."""

import pytest

from edworkers.core.errors import SettingsError
from edworkers_operator.settings import read_settings

LEAST = {
    "EDWORKERS_NAMESPACE": "edworkers",
    "EDWORKERS_IDENTITY": "operator-0",
    "EDWORKERS_RUNNER_IMAGE": "edworkers-runner:1",
    "EDWORKERS_REDIS_ADDRESSES": "redis:6379",
}


def test_little_has_to_be_said() -> None:
    settings = read_settings(LEAST)
    assert (settings.namespace, settings.identity, settings.watch_namespaces) == ("edworkers", "operator-0", ())
    assert (settings.render.image, settings.render.redis.addresses) == ("edworkers-runner:1", ("redis:6379",))
    assert (settings.render.image_pull_policy, settings.render.network_policy) == ("IfNotPresent", True)
    assert (settings.poll_seconds, settings.resync_seconds, settings.drain_seconds) == (5, 300, 3600)


def test_everything_can_be_said() -> None:
    settings = read_settings(
        {
            **LEAST,
            "EDWORKERS_REDIS_MODE": "sentinel",
            "EDWORKERS_REDIS_ADDRESSES": "a:1, [fd00::7]:26379,",
            "EDWORKERS_REDIS_MASTER": "mymaster",
            "EDWORKERS_REDIS_DATABASE": "3",
            "EDWORKERS_REDIS_USERNAME": "me",
            "EDWORKERS_REDIS_SECRET": "redis",
            "EDWORKERS_REDIS_PASSWORD_KEY": "pass",
            "EDWORKERS_REDIS_TLS": "true",
            "EDWORKERS_IMAGE_PULL_POLICY": "Never",
            "EDWORKERS_IMAGE_PULL_SECRETS": "one,two",
            "EDWORKERS_NETWORK_POLICY": "false",
            "EDWORKERS_WATCH_NAMESPACES": "school, night",
            "EDWORKERS_LEASE": "lease",
            "EDWORKERS_KEEPER_CONFIG": "pools",
            "EDWORKERS_HEALTH_PORT": "0",
            "EDWORKERS_POLL_SECONDS": "0.5",
            "EDWORKERS_RESYNC_SECONDS": "10",
            "EDWORKERS_POOL_DRAIN_SECONDS": "0",
            "REDIS_PASSWORD": "secret",
        }
    )
    redis = settings.render.redis
    assert redis.addresses == ("a:1", "[fd00::7]:26379")
    assert (redis.mode, redis.master, redis.database, redis.username) == ("sentinel", "mymaster", 3, "me")
    assert (redis.secret, redis.password_key, redis.tls) == ("redis", "pass", True)
    render = settings.render
    assert (render.image_pull_policy, render.image_pull_secrets, render.network_policy) == (
        "Never",
        ("one", "two"),
        False,
    )
    assert (settings.watch_namespaces, settings.lease) == (("school", "night"), "lease")
    assert (settings.keeper_config, settings.health_port, settings.redis_password) == ("pools", 0, "secret")
    assert (settings.poll_seconds, settings.resync_seconds, settings.drain_seconds) == (0.5, 10, 0)


def test_a_variable_that_is_empty_counts_as_not_set() -> None:
    assert read_settings({**LEAST, "EDWORKERS_LEASE": "", "EDWORKERS_POLL_SECONDS": ""}) == read_settings(LEAST)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"EDWORKERS_NAMESPACE": "No_Name"}, "EDWORKERS_NAMESPACE: 'No_Name' is no name of a namespace"),
        ({"EDWORKERS_IDENTITY": ""}, "EDWORKERS_IDENTITY"),
        ({"EDWORKERS_RUNNER_IMAGE": ""}, "EDWORKERS_RUNNER_IMAGE"),
        ({"EDWORKERS_WATCH_NAMESPACES": "a,-b"}, "EDWORKERS_WATCH_NAMESPACES: '-b' is no name of a namespace"),
        ({"EDWORKERS_REDIS_ADDRESSES": ""}, "EDWORKERS_REDIS_ADDRESSES"),
        ({"EDWORKERS_REDIS_ADDRESSES": ","}, "EDWORKERS_REDIS_ADDRESSES"),
        ({"EDWORKERS_REDIS_ADDRESSES": "redis"}, "EDWORKERS_REDIS_ADDRESSES: 'redis' is no host:port"),
        ({"EDWORKERS_REDIS_ADDRESSES": "redis:0"}, "EDWORKERS_REDIS_ADDRESSES: 'redis:0' is no host:port"),
        ({"EDWORKERS_REDIS_ADDRESSES": "redis:65536"}, "EDWORKERS_REDIS_ADDRESSES: 'redis:65536' is no host:port"),
        ({"EDWORKERS_REDIS_ADDRESSES": "a:1,b:2"}, "EDWORKERS_REDIS_ADDRESSES: a standalone Redis has one address"),
        ({"EDWORKERS_REDIS_MODE": "sentinel"}, "with Sentinel the name of the master must be given"),
        ({"EDWORKERS_REDIS_MODE": "cluster", "EDWORKERS_REDIS_DATABASE": "1"}, "has only database 0"),
        ({"EDWORKERS_REDIS_MODE": "huge"}, "EDWORKERS_REDIS_MODE"),
        ({"EDWORKERS_REDIS_DATABASE": "-1"}, "EDWORKERS_REDIS_DATABASE"),
        ({"EDWORKERS_REDIS_TLS": "perhaps"}, "EDWORKERS_REDIS_TLS"),
        ({"EDWORKERS_IMAGE_PULL_POLICY": "Sometimes"}, "EDWORKERS_IMAGE_PULL_POLICY"),
        ({"EDWORKERS_NETWORK_POLICY": "perhaps"}, "EDWORKERS_NETWORK_POLICY"),
        ({"EDWORKERS_HEALTH_PORT": "70000"}, "EDWORKERS_HEALTH_PORT"),
        ({"EDWORKERS_POLL_SECONDS": "0"}, "EDWORKERS_POLL_SECONDS"),
        ({"EDWORKERS_RESYNC_SECONDS": "never"}, "EDWORKERS_RESYNC_SECONDS"),
        ({"EDWORKERS_POOL_DRAIN_SECONDS": "-1"}, "EDWORKERS_POOL_DRAIN_SECONDS"),
    ],
)
def test_a_fault_is_told_by_the_name_of_its_variable(env: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({**LEAST, **env})
    assert len(error.value.faults) == 1
    assert told in error.value.faults[0]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({"EDWORKERS_HEALTH_PORT": "x", "EDWORKERS_POLL_SECONDS": "x"})
    told = str(error.value)
    for name in (*LEAST, "EDWORKERS_HEALTH_PORT", "EDWORKERS_POLL_SECONDS"):
        assert name in told
