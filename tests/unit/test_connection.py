"""Which Redis the environment means, and what its errors mean."""

import ssl
from urllib.parse import unquote, urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions

from edworkers.adapters.redis.address import redis_url, without_password
from edworkers.adapters.redis.connection import Outage, explain, is_outage
from edworkers.core.errors import SettingsError

WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"REDIS_HOST": "redis"}, "redis://redis:6379/0"),
        ({"REDIS_PORT": "6380"}, "redis://127.0.0.1:6380/0"),
        ({"REDIS_HOST": "redis", "REDIS_PORT": "1"}, "redis://redis:1/0"),
        ({"REDIS_HOST": "redis", "REDIS_DATABASE": "3", "REDIS_TLS": "true"}, "rediss://redis:6379/3"),
        ({"REDIS_USERNAME": "run:ner", "REDIS_PASSWORD": "pw"}, "redis://run%3Aner:pw@127.0.0.1:6379/0"),
        ({"REDIS_HOST": "redis", "REDIS_PASSWORD": "pw"}, "redis://:pw@redis:6379/0"),
        ({"REDIS_PASSWORD": "p@ss/w:rd?#%"}, "redis://:p%40ss%2Fw%3Ard%3F%23%25@127.0.0.1:6379/0"),
        ({"REDIS_HOST": "", "REDIS_PORT": "", "REDIS_PASSWORD": "", "REDIS_URL": ""}, "redis://127.0.0.1:6379/0"),
        ({"REDIS_URL": "rediss://user:pw@redis.example:6390/2"}, "rediss://user:pw@redis.example:6390/2"),
        ({"REDIS_URL": "redis://[::1]"}, "redis://[::1]"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0"),
        ({"REDIS_HOST": "redis", "REDIS_PORT": "tcp://10.0.0.7:6380"}, "redis://redis:6380/0"),
    ],
)
def test_the_address_that_the_environment_means(env: dict[str, str], url: str) -> None:
    assert redis_url(env) == url


def test_a_whole_address_goes_before_its_parts_be_they_ever_so_wrong() -> None:
    env = {"REDIS_URL": "redis://one:6379/0", "REDIS_HOST": "two", "REDIS_PORT": "none", "REDIS_PASSWORD": "pw"}
    assert redis_url(env) == "redis://one:6379/0"


@given(st.text(min_size=1, max_size=20))
def test_any_password_arrives_at_redis_as_it_was_set(password: str) -> None:
    url = redis_url({"REDIS_PASSWORD": password})
    assert unquote(urlsplit(url).password or "") == password
    assert redis.ConnectionPool.from_url(url).connection_kwargs["password"] == password


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "redis:6379",
        "http://redis:6379",
        "unix:///run/redis.sock",
        "redis://",
        "redis://:6379",
        "redis://redis:port",
        "redis://redis:0",
        "redis://redis:65536",
        "redis://[::1",
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        redis_url({"REDIS_URL": url})
    assert refused.value.faults == ("REDIS_URL: must look like redis://:password@host:6379/0, or rediss:// for TLS",)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "6379x", " ", "6.5", "٣", "tcp://10.0.0.1:x", "9" * 5])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingsError) as refused:
        redis_url({"REDIS_PORT": port})
    assert refused.value.faults == (f"REDIS_PORT: {port!r} is no port; give a number from 1 to 65535",)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://redis", "redis://redis:6379"),
        ("redis://:pw@redis:6380/1", "redis://***@redis:6380/1"),
        ("rediss://user:pw@redis/1", "rediss://***@redis:6379/1"),
        ("redis://redis:6379/0?password=pw&ssl_password=pw", "redis://redis:6379/0"),
        ("redis://:p%40ss@redis:6379/0#pw", "redis://***@redis:6379/0"),
        ("redis://[::1]/0", "redis://[::1]:6379/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20).map(lambda text: f"pw{text}pw"))
def test_no_password_whatever_is_shown(password: str) -> None:
    shown = without_password(redis_url({"REDIS_PASSWORD": password, "REDIS_HOST": "redis"}))
    assert shown == "redis://***@redis:6379/0"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("Connection closed by server."),
        exceptions.TimeoutError("Timeout reading from socket"),
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
        exceptions.ClusterDownError("The cluster is down"),
        exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots, but it can't persist on disk."),
        exceptions.MovedError("5061 127.0.0.1:7001"),
        exceptions.AskError("5061 127.0.0.1:7001"),
        exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
        exceptions.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"),
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        exceptions.ResponseError("Error running script: @user_script: 7: -OOM command not allowed"),
        ConnectionRefusedError("refused"),
        OSError("no route to host"),
        TimeoutError(),
    ],
)
def test_a_redis_that_is_away_starting_or_full_is_waited_for(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.AuthenticationError("WRONGPASS"),
        exceptions.AuthenticationWrongNumberOfArgsError("wrong number of arguments for 'auth'"),
        exceptions.NoPermissionError("this user has no permissions to run the 'evalsha' command"),
        exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        exceptions.NoScriptError("No matching script."),
        exceptions.ResponseError("BUSYGROUP Consumer Group name already exists"),
        ValueError("a fault of our own"),
    ],
)
def test_what_waiting_does_not_mend_is_not_waited_for(error: Exception) -> None:
    assert not is_outage(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.ConnectionError("Error 111 connecting to redis:6379."), "111 connecting to redis:6379."),
        (TimeoutError(), "TimeoutError"),
        (exceptions.MovedError("5061 10.0.0.1:7001"), "slot 5061 of the cluster has moved"),
        (exceptions.AskError("5061 10.0.0.1:7001"), "slot 5061 of the cluster moves"),
        (exceptions.AuthenticationError("WRONGPASS"), "the user or the password is wrong or missing (WRONGPASS)"),
    ],
)
def test_an_error_is_said_in_a_few_words(error: Exception, said: str) -> None:
    assert explain(error) == said


def test_what_tls_found_wrong_is_said_by_its_name() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="redis")
    incoming.write(b"-ERR this is a Redis without TLS\r\n")
    with pytest.raises(ssl.SSLError) as refused:
        connection.do_handshake()
    assert explain(refused.value) == "TLS failed: WRONG_VERSION_NUMBER"


def test_a_wrong_database_a_wrong_tls_and_a_wrong_port_are_told_together() -> None:
    with pytest.raises(SettingsError) as refused:
        redis_url({"REDIS_PORT": "x", "REDIS_DATABASE": "-1", "REDIS_TLS": "maybe"})
    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["REDIS_PORT", "REDIS_DATABASE", "REDIS_TLS"]


def test_pauses_of_an_outage_grow_to_two_seconds_and_no_two_runners_wait_alike() -> None:
    outages = [Outage("try") for _ in range(50)]
    longest = [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    for most in longest:
        pauses = [outage.failed(redis.ConnectionError("refused")) for outage in outages]
        assert all(most / 2 <= pause <= most for pause in pauses)
        assert len(set(pauses)) > 40
    outages[0].over()
    assert outages[0].failed(redis.ConnectionError("refused")) <= 0.1


@pytest.mark.parametrize("text", [WRONG, f"ERR Error running script (call to f_1): @user_script:12: {WRONG}"])
def test_a_key_of_another_type_is_explained_with_what_to_do(text: str) -> None:
    told = explain(exceptions.ResponseError(text))
    assert "set it by hand" in told
    assert "--pattern 'edworkers:{QUEUE}:*' and TYPE, and delete it" in told
    assert text in told
