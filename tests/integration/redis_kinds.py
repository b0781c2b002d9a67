"""Kinds of Redis as real servers on loopback: Sentinels with a master and replicas, a cluster, one that talks TLS."""

import asyncio
import datetime as dt
import signal
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.integration.processes import Queue, eventually

from edworkers.adapters.redis.address import Host, RedisAddress, redis_address
from edworkers.adapters.redis.connection import ask_async, connect, find_host
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.whereabouts import SLOTS, OfCluster, slot_of
from edworkers.core.settings import Retention
from edworkers.standins import redis as redis_standin
from edworkers.standins.free_port import free_port
from edworkers.standins.leash import leashed
from edworkers.standins.redis import RedisServer, find_program

MASTER = "jobs"


async def ask_port(port: int, *words: str) -> Any:
    """Ask one server on loopback."""
    return await ask_async(RedisAddress(hosts=(Host("127.0.0.1", port),)), words)


def is_up(port: int, look: Callable[[Any], bool], *words: str) -> Any:
    """Make a look at one server, for `eventually`; one that doesn't answer isn't so yet."""

    async def looks() -> bool:
        try:
            return look(await ask_port(port, *words))
        except Exception:  # noqa: BLE001 - away, starting or refusing: not yet
            return False

    return looks


class Sentinel:
    """A Sentinel as a process of its own."""

    def __init__(self, folder: Path, master: int) -> None:
        self.port = free_port()
        self._file = folder / f"sentinel-{self.port}.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds {MASTER} 700\n"
            f"sentinel failover-timeout {MASTER} 4000\n"
        )
        self._process: Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *leashed(find_program(), str(self._file), "--sentinel"),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=STDOUT,
            start_new_session=True,
        )
        await eventually(is_up(self.port, bool, "PING"))

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


class Sentinels:
    """A master with two replicas, and three Sentinels that watch over them."""

    def __init__(self, servers: Sequence[RedisServer], sentinels: Sequence[Sentinel]) -> None:
        self.servers = {server.port: server for server in servers}
        self.sentinels = sentinels
        self.env = {
            "REDIS_URL": "",
            "REDIS_SENTINELS": ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels),
            "REDIS_MASTER": MASTER,
        }
        self.address = redis_address(self.env)

    async def master(self) -> RedisServer:
        """Find the server that most Sentinels take for the master, and that is one."""
        found: list[int] = []

        async def agreed() -> bool:
            words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
            ports = [int((await ask_port(sentinel.port, *words))[1]) for sentinel in self.sentinels]
            found[:] = ports[:1]
            return len(set(ports)) == 1 and await is_up(ports[0], lambda role: role[0] == b"master", "ROLE")()

        await eventually(agreed)
        return self.servers[found[0]]

    async def settled(self, replicas: int = 2) -> None:
        """Wait until the master has so many replicas that keep up, and every Sentinel knows all of that."""
        master = await self.master()
        await eventually(is_up(master.port, lambda role: len(role[2]) == replicas, "ROLE"))
        for sentinel in self.sentinels:
            await eventually(is_up(sentinel.port, _knows_all, "SENTINEL", "MASTER", MASTER))

    async def fails_over(self, old: RedisServer) -> RedisServer:
        """Wait until another one is the master."""

        async def another() -> bool:
            return (await self.master()).port != old.port

        await eventually(another)
        return await self.master()


def _knows_all(answer: Mapping[bytes, bytes] | Sequence[bytes]) -> bool:
    words = list(answer) if not isinstance(answer, Mapping) else [word for pair in answer.items() for word in pair]
    known = dict(zip(words[::2], words[1::2], strict=True))
    return (int(known[b"num-slaves"]), int(known[b"num-other-sentinels"])) == (2, 2)


@asynccontextmanager
async def serve_sentinels(options: Mapping[str, str] | None = None) -> AsyncGenerator[Sentinels]:
    """Serve a master, two replicas and three Sentinels until the block ends."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edworkers-sentinel-")))
        given = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1", **(options or {})}
        servers = [await stack.enter_async_context(redis_standin.serve(options=given)) for _ in range(3)]
        master, *replicas = servers
        for replica in replicas:
            await ask_port(replica.port, "REPLICAOF", "127.0.0.1", str(master.port))
        await eventually(is_up(master.port, lambda role: len(role[2]) == 2, "ROLE"))
        sentinels = [Sentinel(folder, master.port) for _ in range(3)]
        for sentinel in sentinels:
            stack.push_async_callback(sentinel.stop)
            await sentinel.start()
        world = Sentinels(servers, sentinels)
        await world.settled()
        yield world


class Cluster:
    """Masters that have a part of the slots each, with a replica each where asked for."""

    def __init__(self, masters: Sequence[RedisServer], replicas: Sequence[RedisServer]) -> None:
        self.masters = list(masters)
        self.replicas = list(replicas)
        self.env = _env_of_nodes([server.port for server in (*masters, *replicas)])
        self.address = self._plain = redis_address(self.env)

    def queues(self) -> list[str]:
        """Name a queue on each master; one of them is `next`."""
        names: dict[int, str] = {}
        for name in ("next", *(f"work-{number}" for number in range(100))):
            names.setdefault(slot_of(f"{{{name}}}") * len(self.masters) // SLOTS, name)
        return [name for _, name in sorted(names.items())]

    async def agrees(self) -> None:
        """Wait until every node says that all is well."""
        for server in (*self.masters, *self.replicas):
            await eventually(is_up(server.port, lambda answer: b"cluster_state:ok" in answer, "CLUSTER", "INFO"))

    async def master_of(self, queue: str) -> RedisServer:
        """Find the server that has a queue now."""
        host = await find_host(OfCluster(self._plain, slot_of(f"{{{queue}}}")))
        return next(server for server in (*self.masters, *self.replicas) if server.port == host.port)

    async def fails_over(self, queue: str, old: RedisServer) -> None:
        """Wait until another server has the queue, as every one says that answers."""

        async def another() -> bool:
            with suppress(redis.RedisError):
                servers = [await self.master_of(queue) for _ in range(len(self.address.hosts))]
                return old not in servers
            return False

        await eventually(another)

    async def move(self, slot: int, source: RedisServer, to: RedisServer) -> AsyncGenerator[None]:
        """Move a slot as `redis-cli --cluster reshard` does, with a stop where it is half moved."""
        names = {server: (await ask_port(server.port, "CLUSTER", "MYID")).decode() for server in (source, to)}
        number = str(slot)
        await ask_port(to.port, "CLUSTER", "SETSLOT", number, "IMPORTING", names[source])
        await ask_port(source.port, "CLUSTER", "SETSLOT", number, "MIGRATING", names[to])
        yield
        while keys := await ask_port(source.port, "CLUSTER", "GETKEYSINSLOT", number, "5"):
            words = ("MIGRATE", "127.0.0.1", str(to.port), "", "0", "5000", "KEYS")
            await ask_port(source.port, *words, *(key.decode() for key in keys))
            yield
        for server in (to, source, *self.masters):
            await ask_port(server.port, "CLUSTER", "SETSLOT", number, "NODE", names[to])


def _env_of_nodes(ports: Sequence[int]) -> dict[str, str]:
    return {"REDIS_URL": "", "REDIS_NODES": ",".join(f"127.0.0.1:{port}" for port in ports)}


@asynccontextmanager
async def serve_tls_cluster(certificates: "Certificates") -> AsyncGenerator[Cluster]:
    """Serve a cluster that is spoken to over TLS, and by this file's own questions without."""
    certificate, key = certificates.issue("client")
    files = {"REDIS_TLS_CA": certificates.ca, "REDIS_TLS_CERT": certificate, "REDIS_TLS_KEY": key}
    ports = [free_port() for _ in range(3)]
    options = [{**tls_options(certificates, port), "tls-cluster": "yes"} for port in ports]
    for given in options:
        del given["port"]
    async with serve_cluster(each=options) as cluster:
        cluster.env = {**_env_of_nodes(ports), "REDIS_TLS": "true", **files}
        cluster.address = redis_address(cluster.env)
        yield cluster


@asynccontextmanager
async def serve_cluster(
    masters: int = 3,
    *,
    replicas: bool = False,
    options: Mapping[str, str] | None = None,
    each: Sequence[Mapping[str, str]] = (),
) -> AsyncGenerator[Cluster]:
    """Serve a cluster until the block ends; `each` has options of each node, `options` those of all."""
    async with AsyncExitStack() as stack:
        given = each or [options or {}] * (masters * (1 + replicas))
        servers = [await stack.enter_async_context(_serve_node(of_node)) for of_node in given]
        bus = {port: bus_port for _, port, bus_port in servers}
        nodes = [server for server, _, _ in servers]
        for number, server in enumerate(nodes[:masters]):
            first, last = number * SLOTS // masters, (number + 1) * SLOTS // masters - 1
            await ask_port(server.port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
        for server in nodes[1:]:
            await ask_port(server.port, "CLUSTER", "MEET", "127.0.0.1", str(nodes[0].port), str(bus[nodes[0].port]))
        for server in nodes:
            await eventually(is_up(server.port, _knows(len(nodes)), "CLUSTER", "NODES"))
        for master, replica in zip(nodes[:masters], nodes[masters:], strict=False):
            name = (await ask_port(master.port, "CLUSTER", "MYID")).decode()
            await ask_port(replica.port, "CLUSTER", "REPLICATE", name)
            await eventually(is_up(master.port, lambda role: len(role[2]) == 1, "ROLE"))
        cluster = Cluster(nodes[:masters], nodes[masters:])
        await cluster.agrees()
        yield cluster


def _knows(count: int) -> Callable[[bytes], bool]:
    return lambda answer: len(answer.splitlines()) == count and b"handshake" not in answer


@asynccontextmanager
async def _serve_node(options: Mapping[str, str]) -> AsyncGenerator[tuple[RedisServer, int, int]]:
    bus_port = free_port()
    cluster = {"cluster-enabled": "yes", "cluster-node-timeout": "1500", "cluster-port": str(bus_port)}
    quick = {"repl-diskless-sync-delay": "0", "cluster-replica-validity-factor": "0"}
    async with redis_standin.serve(options={**cluster, **quick, **options}) as server:
        yield server, server.port, bus_port


class QueueOf(Queue):
    """One queue on any kind of Redis, seen from outside."""

    def __init__(self, address: RedisAddress, side_effects_url: str, name: str = "work") -> None:
        super().__init__(side_effects_url, side_effects_url, name)
        self._unused: Any = self.client
        self.client = connect(address, self.key("pending"))
        self.control = RedisControl(self.client, name, Retention())

    async def close(self) -> None:
        await self._unused.aclose()
        await super().close()


class Certificates:
    """A certificate authority of the test's own, and certificates of it as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {folder.name}")])
        self.ca = self._write("ca.crt", self._sign(self._name, self._key, ca=True))

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool = False, days: int = 1) -> bytes:
        now = dt.datetime.now(dt.UTC)
        names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
        built = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=3))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, days: int = 1) -> tuple[str, str]:
        """Make a certificate for loopback; returns its file and that of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._write(f"{name}.crt", self._sign(subject, key, days=days))
        return certificate, self._write(f"{name}.key", pem)


def tls_options(certificates: Certificates, port: int, *, days: int = 1, clients: bool = True) -> dict[str, str]:
    """Say how a server is to talk TLS only."""
    certificate, key = certificates.issue("server", days)
    return {
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": certificate,
        "tls-key-file": key,
        "tls-ca-cert-file": certificates.ca,
        "tls-auth-clients": "yes" if clients else "no",
    }


class Swallower:
    """Stands before a server, and can fall silent: connections stay, and nothing comes through, nor an end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.silent: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._streams: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def swallow(self) -> int:
        """Make every connection that there is half-open; new ones are passed on. Returns how many there are."""
        self.silent |= self._open
        return len(self._open)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._port)
        self._open.add(writer)
        self._streams += (writer, there)
        for source, sink in ((reader, there), (there_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, sink, writer))
            self._tasks.add(task)

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                if writer not in self.silent:
                    sink.write(data)
        except ConnectionError:
            pass
        if writer not in self.silent:
            sink.close()
        self._open.discard(writer)

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in self._streams:
            stream.transport.abort()
        await asyncio.gather(*(stream.wait_closed() for stream in self._streams), return_exceptions=True)


KILL, FREEZE, THAW = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
