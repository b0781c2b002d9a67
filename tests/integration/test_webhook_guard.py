"""The `webhook` handler leads nobody into our own networks, whatever names, addresses and name servers say."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import httpcore2
import pytest
from tests.integration.webhook_receivers import ENV, Receiver, Sender, receiving, saying, sending

from edworkers.adapters.guarded_http import make_client
from edworkers.adapters.guarded_http.addresses import Address, parse_networks
from edworkers.adapters.guarded_http.backend import GuardedBackend
from edworkers.adapters.guarded_http.race import first_to_connect
from edworkers.adapters.guarded_http.resolve import SystemResolver
from edworkers.core.errors import AddressRefusedError, SettingsError
from edworkers.core.outcome import Done, Failed, Rejected

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LOOPBACK = {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
NOWHERE = "192.0.2.1"


class Names:
    """A name server of the test's own: each answer is the next of a list, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(saying(OK)) as receiver:
        yield receiver


@asynccontextmanager
async def fenced() -> AsyncIterator[Sender]:
    """The handler as it comes, to which loopback is as forbidden as anything."""
    async with sending(WEBHOOK_ALLOWED_NETWORKS="") as sender:
        yield sender


def port_of(receiver: Receiver) -> str:
    return receiver.url.rpartition(":")[2]


async def test_a_refused_address_is_buried_with_what_to_do(receiver: Receiver) -> None:
    async with fenced() as sender:
        failed = await sender.send_in_vain(receiver.url)
    assert (failed.kind, failed.retryable, failed.service_down) == ("address", False, None)
    assert failed.message == (
        "127.0.0.1 is loopback: nothing is sent but to the internet; where this address is meant,"
        " add its network to WEBHOOK_ALLOWED_NETWORKS, such as 127.0.0.1/32; then replay the job"
    )
    assert receiver.connections == 0


async def test_the_network_that_is_advised_for_a_link_local_address_is_one() -> None:
    async with fenced() as sender:
        failed = await sender.send_in_vain("http://[fe80::1%25eth0]/")
    assert "such as fe80::1/128;" in failed.message
    networks, faults = parse_networks("fe80::1/128")
    assert (len(networks), faults) == (1, [])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0177.0.0.01",
        "0",
        "0.0.0.0",
        "①27.0.0.1",
        "127。0。0。1",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
async def test_every_spelling_of_an_address_of_ours_is_refused(receiver: Receiver, host: str) -> None:
    async with fenced() as sender:
        outcome = await sender.send(f"http://{host}:{port_of(receiver)}/", seconds=5)
    assert isinstance(outcome, Failed | Rejected)
    if isinstance(outcome, Failed):
        assert (outcome.kind, outcome.retryable) == ("address", False)
    assert receiver.connections == 0


async def test_a_spelling_is_judged_as_the_address_that_it_becomes(receiver: Receiver) -> None:
    async with sending() as sender:
        for host in ("2130706433", "0x7f.1", "127.1"):
            assert isinstance(await sender.send(f"http://{host}:{port_of(receiver)}/"), Done)


async def test_a_redirect_to_an_address_of_ours_leads_nowhere(receiver: Receiver) -> None:
    answer = f"HTTP/1.1 302 Found\r\nlocation: {receiver.url}/\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(saying(answer)) as other, sending() as sender:
        failed = await sender.send_in_vain(other.url)
    assert (failed.kind, failed.retryable, receiver.connections) == ("redirect", False, 0)


async def test_a_name_is_resolved_once_and_connected_to_as_it_was_checked(receiver: Receiver) -> None:
    """What a name server answers the second time doesn't matter: nobody asks."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with make_client(LOOPBACK, resolve=names) as client:
        response = await client.post(f"http://school.example:{port_of(receiver)}/")
    assert (response.status_code, names.asked) == (200, ["school.example"])
    assert f"host: school.example:{port_of(receiver)}\r\n" in receiver.heads[0]


async def test_a_name_that_changes_is_checked_again_with_every_connection(receiver: Receiver) -> None:
    answer = OK.replace(b"content-length", b"connection: close\r\ncontent-length")
    async with receiving(saying(answer, and_close=True)) as closing:
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        async with make_client(LOOPBACK, resolve=names) as client:
            url = f"http://school.example:{port_of(closing)}/"
            assert (await client.post(url)).status_code == 200
            with pytest.raises(AddressRefusedError, match=r"^school\.example leads to 10\.0\.0\.1, which is private"):
                await client.post(url)
    assert len(names.asked) == 2


async def test_a_connection_that_is_used_again_leads_where_it_led(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with make_client(LOOPBACK, resolve=names) as client:
        for _ in range(3):
            assert (await client.post(f"http://school.example:{port_of(receiver)}/")).status_code == 200
    assert (receiver.connections, len(names.asked)) == (1, 1)


async def test_a_name_with_one_address_of_ours_is_refused_whatever_else_it_has(receiver: Receiver) -> None:
    for answer in (["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::ffff:10.0.0.1"]):
        async with make_client(LOOPBACK, resolve=Names(answer)) as client:
            with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1, which is private"):
                await client.post(f"http://school.example:{port_of(receiver)}/")
    assert receiver.connections == 0


async def test_an_address_where_nobody_listens_leaves_the_next_one(receiver: Receiver) -> None:
    names = Names(["127.0.0.3", "127.0.0.2", "127.0.0.1"])
    async with make_client(LOOPBACK, resolve=names) as client:
        assert (await client.post(f"http://school.example:{port_of(receiver)}/")).status_code == 200


async def test_a_name_of_which_no_address_answers_tells_what_the_first_one_said(receiver: Receiver) -> None:
    backend = GuardedBackend([ip_network("127.0.0.0/8")], Names(["127.0.0.2", "127.0.0.3"]), "ALLOWED")
    with pytest.raises(httpcore2.ConnectError, match=r"Connect call failed|refused"):
        await backend.connect_tcp("school.example", int(port_of(receiver)), timeout=5)


async def test_a_name_server_that_says_nothing_is_given_up(receiver: Receiver) -> None:
    asked = asyncio.Event()

    async def silent(_: str) -> Sequence[str]:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")

    backend = GuardedBackend((), silent, "ALLOWED")
    with pytest.raises(httpcore2.ConnectTimeout):
        await backend.connect_tcp("school.example", 80, timeout=0.01)
    assert asked.is_set()


async def test_a_name_without_an_address_and_one_that_is_unknown_are_connection_errors() -> None:
    with pytest.raises(httpcore2.ConnectError, match="has no address"):
        await GuardedBackend((), Names([]), "ALLOWED").connect_tcp("school.example", 80)
    async with fenced() as sender:
        failed = await sender.send_in_vain("http://school.invalid/", seconds=5)
    assert (failed.kind, failed.retryable, failed.service_down) in {
        ("connection", True, True),
        ("timeout", True, True),  # where a name server is set up and doesn't answer
    }


async def test_a_first_address_that_does_not_answer_holds_up_no_other() -> None:
    """The second one is tried beside the first, and what the first comes to later is closed."""
    gone: list[str] = []
    first_began = asyncio.Event()

    async def connect(address: Address) -> str:
        if str(address) == NOWHERE:
            first_began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "late"  # it connected in the moment in which it was given up
        return str(address)

    async def close(connection: str) -> None:
        gone.append(connection)

    addresses = [ip_address(NOWHERE), ip_address("127.0.0.1")]
    assert await first_to_connect(addresses, connect, close, stagger=0.001) == "127.0.0.1"
    assert first_began.is_set()
    assert gone == ["late"]


async def test_of_two_that_connect_at_once_one_is_kept_and_one_closed() -> None:
    gone: list[str] = []
    both = asyncio.Barrier(2)

    async def connect(address: Address) -> str:
        await both.wait()
        return str(address)

    async def close(connection: str) -> None:
        gone.append(connection)

    addresses = [ip_address("127.0.0.1"), ip_address("127.0.0.2")]
    kept = await first_to_connect(addresses, connect, close, stagger=0.001)
    assert sorted([kept, *gone]) == ["127.0.0.1", "127.0.0.2"]


async def test_a_lookup_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names have dead servers: there are more of them here than threads in the loop's own pool."""
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", hanging(ended, socket.getaddrinfo))
    resolver = SystemResolver()
    stuck = [asyncio.ensure_future(resolver(f"dead-{number}.example")) for number in range(100)]
    assert "127.0.0.1" in await resolver("localhost")
    assert not any(task.done() for task in stuck)
    ended.set()
    assert await asyncio.gather(*stuck) == [["127.0.0.9"]] * 100


async def test_who_asks_for_one_name_at_once_shares_a_lookup_and_may_give_up_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    asked: list[str] = []
    look_up = hanging(ended, socket.getaddrinfo)

    def count(host: str, *more: object, **and_more: object) -> object:
        asked.append(host)
        return look_up(host, *more, **and_more)

    monkeypatch.setattr(socket, "getaddrinfo", count)
    resolver = SystemResolver()
    impatient, patient = (asyncio.ensure_future(resolver("dead.example")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    ended.set()
    assert await patient == ["127.0.0.9"]
    assert asked == ["dead.example"]


def hanging(ended: threading.Event, real: Callable[..., object]) -> Callable[..., object]:
    def look_up(host: str, *more: object, **and_more: object) -> object:
        if not host.startswith("dead"):
            return real(host, *more, **and_more)
        ended.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", 0))]

    return look_up


async def test_networks_that_are_none_are_told_at_the_start() -> None:
    from edworkers.handlers.webhook.deliver import find_faults

    assert find_faults(ENV) == []
    assert find_faults({**ENV, "WEBHOOK_ALLOWED_NETWORKS": "10.0.0.1/8 here"}) == [
        "WEBHOOK_ALLOWED_NETWORKS: '10.0.0.1/8' is an address within a network; write 10.0.0.0/8",
        "WEBHOOK_ALLOWED_NETWORKS: 'here' is no network; write it such as 10.0.0.0/8 or fd00::/8",
    ]
    with pytest.raises(SettingsError, match="'here' is no network"):
        make_client({"WEBHOOK_ALLOWED_NETWORKS": "here"})
