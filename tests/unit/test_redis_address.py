"""Which kind of Redis the environment means, with every fault of its address."""

from pathlib import Path

import pytest

from edworkers.adapters.redis.address import Host, RedisAddress, parse_address, redis_address
from edworkers.core.errors import SettingsError

SENTINELS = {"REDIS_SENTINELS": "a:1,b", "REDIS_MASTER": "jobs"}


def faults(**env: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        redis_address(env)
    return list(refused.value.faults)


def test_a_single_redis_is_meant_where_nothing_else_is_said() -> None:
    address = redis_address({})
    assert (address.mode, address.hosts) == ("standalone", (Host("127.0.0.1", 6379),))


def test_a_url_says_everything_at_once() -> None:
    address = redis_address({"REDIS_URL": "rediss://us%3Aer:p%40ss@redis.example:6390/2?ssl_cert_reqs=none"})
    assert (address.hosts, address.database, address.tls) == ((Host("redis.example", 6390),), 2, True)
    assert (address.username, address.password) == ("us:er", "p@ss")
    assert address.options == {"ssl_cert_reqs": "none"}


def test_sentinels_are_listed_with_the_name_of_their_master() -> None:
    address = redis_address({**SENTINELS, "REDIS_DATABASE": "3", "REDIS_SENTINEL_PASSWORD": "other"})
    assert (address.mode, address.master, address.database) == ("sentinel", "jobs", 3)
    assert address.hosts == (Host("a", 1), Host("b", 26379))
    assert str(address) == "the master jobs of the Sentinels a:1, b:26379"


def test_a_sentinel_is_spoken_to_as_the_user_that_it_knows() -> None:
    env = {"REDIS_USERNAME": "runner", "REDIS_PASSWORD": "pw", "REDIS_DATABASE": "3", "REDIS_TLS": "true"}
    own = {"REDIS_SENTINEL_USERNAME": "asker", "REDIS_SENTINEL_PASSWORD": "other"}
    one = redis_address({**SENTINELS, **env, **own}).sentinel(Host("b", 26379))
    assert (one.username, one.password, one.database, one.tls) == ("asker", "other", 0, True)
    assert (one.mode, one.hosts) == ("standalone", (Host("b", 26379),))


def test_nodes_of_a_cluster_are_listed() -> None:
    address = redis_address({"REDIS_NODES": "a:7000, [::1]:7001,c"})
    assert (address.mode, address.hosts) == ("cluster", (Host("a", 7000), Host("::1", 7001), Host("c", 6379)))
    assert str(address) == "the cluster of a:7000, [::1]:7001, c:6379"


def test_one_server_of_several_is_spoken_to_in_the_same_way() -> None:
    address = redis_address({"REDIS_NODES": "a:7000", "REDIS_USERNAME": "me", "REDIS_PASSWORD": "pw"})
    assert address.only(Host("b", 7001)) == RedisAddress(hosts=(Host("b", 7001),), username="me", password="pw")


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        ({"REDIS_SENTINELS": "a:1"}, "REDIS_MASTER: give the name that Sentinel has for the master, such as mymaster"),
        ({"REDIS_MASTER": "m"}, "REDIS_SENTINELS: give the addresses of the Sentinels, or leave REDIS_MASTER out"),
        ({**SENTINELS, "REDIS_SENTINELS": " , "}, "REDIS_SENTINELS: there is no address in it"),
        ({"REDIS_NODES": "a:7000", "REDIS_DATABASE": "1"}, "REDIS_DATABASE: a Redis Cluster has only database 0"),
        (
            {**SENTINELS, "REDIS_NODES": "a"},
            "REDIS_SENTINELS and REDIS_NODES: each says where Redis is; set one of them",
        ),
        (
            {"REDIS_URL": "redis://a", "REDIS_NODES": "b"},
            "REDIS_URL and REDIS_NODES: each says where Redis is; set one of them",
        ),
    ],
)
def test_an_address_that_says_too_little_or_too_much_is_refused(env: dict[str, str], fault: str) -> None:
    assert faults(**env) == [fault]


@pytest.mark.parametrize("word", ["a:0", "a:x", "a:65536", "redis://a:1", "u@a:1", "a:1/2", "[::1", ":6379"])
def test_a_node_that_is_none_is_named(word: str) -> None:
    assert faults(REDIS_NODES=f"good:1,{word}") == [
        f"REDIS_NODES: {word!r} is no address; give some like redis-0.example:6379, with commas between them"
    ]


def test_files_for_tls_are_used_with_a_url_and_with_parts(tmp_path: Path) -> None:
    ca, cert, key = (tmp_path / name for name in ("ca", "cert", "key"))
    for file in (ca, cert, key):
        file.write_text("")
    env = {"REDIS_TLS_CA": str(ca), "REDIS_TLS_CERT": str(cert), "REDIS_TLS_KEY": str(key)}
    options = {"ssl_ca_certs": str(ca), "ssl_certfile": str(cert), "ssl_keyfile": str(key)}
    assert redis_address({"REDIS_URL": "rediss://a", **env}).options == options
    assert redis_address({**SENTINELS, "REDIS_TLS": "true", **env}).options == options


def test_files_for_tls_without_tls_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("")
    assert faults(REDIS_TLS_CA=str(tmp_path / "ca")) == [
        "REDIS_TLS_CA: would not be used; set REDIS_TLS to true, or begin REDIS_URL with rediss://"
    ]


def test_every_fault_is_named_at_once() -> None:
    env = {"REDIS_SENTINELS": "a:x", "REDIS_TLS": "maybe", "REDIS_DATABASE": "-1", "REDIS_TLS_CERT": "/nowhere"}
    assert [fault.partition(":")[0] for fault in faults(**env)] == [
        *("REDIS_MASTER", "REDIS_SENTINELS", "REDIS_DATABASE", "REDIS_TLS"),
        *("REDIS_TLS_CERT, REDIS_TLS_KEY", "REDIS_TLS_CERT"),
    ]


def test_no_password_is_shown() -> None:
    env = {**SENTINELS, "REDIS_PASSWORD": "secret", "REDIS_SENTINEL_PASSWORD": "secret"}
    for address in (redis_address(env), parse_address("redis://:secret@a:1/0?ssl_password=secret")):
        assert "secret" not in f"{address} {address!r}"
