"""What `edworkers dev` is going to run, found out and checked before anything starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edworkers import pools
from edworkers.cli.local import HOST, STANDIN_KEY, check_packages, is_free, made_up_secret
from edworkers.cli.local_server import find_faults as find_server_faults
from edworkers.core.errors import SettingsError
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry

USUAL_FOLDER = Path("manifests/examples")
USUAL_PORT = 6379
MAILBOX_PORT = 2525
SENDER = "edworkers dev <dev@school.example>"
_UNSIGNED = "none"


@dataclass(frozen=True, slots=True)
class Served:
    """One queue, and the manifest that it comes from; None for settings that are built in."""

    pool: pools.Pool
    manifest: Path | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that dev decided."""

    served: tuple[Served, ...]
    suspended: tuple[str, ...]
    source: str
    env: Mapping[str, str]
    """The environment, completed by what was made up for this session."""
    own_port: int | None
    """Of the Redis that dev starts; None where one is configured."""
    made_up: frozenset[str]
    """Variables that were not set."""
    processes: int
    reload: bool

    def queue_of(self, kind: str) -> str | None:
        """Name the queue whose pool has the platform's handlers of this kind (`ai`, `webhook`)."""
        specs = [served.pool.spec for served in self.served]
        return next((spec.queue for spec in specs if spec.handlers == registry.PLATFORM[kind]), None)

    def serves(self, kind: str) -> bool:
        """Whether one of the pools has the platform's handlers of this kind."""
        return self.queue_of(kind) is not None

    @property
    def has_gemini_standin(self) -> bool:
        """Whether a stand-in answers in Gemini's place."""
        return self.serves("ai") and "GEMINI_API_KEY" in self.made_up and "GEMINI_BASE_URL" not in self.env

    @property
    def has_mailbox(self) -> bool:
        """Whether mails go to a mailbox of dev's own."""
        return self.serves("email") and "SMTP_URL" in self.made_up

    @property
    def has_own_database(self) -> bool:
        """Whether a PostgreSQL of dev's own is started."""
        return self.serves("scheduled") and "NEON_DATABASE_URL" in self.made_up

    @property
    def inbox_secret(self) -> str:
        """With what the inbox checks signatures."""
        secret = self.env["WEBHOOK_SECRET"].split()[0]
        return made_up_secret() if secret == _UNSIGNED else secret


def plan_dev(
    manifests: Sequence[Path],
    env: Mapping[str, str],
    *,
    port: int | None,
    reload: bool,
    processes: int,
    without: Sequence[str] = (),
) -> Plan:
    """Read the manifests (files or folders) and decide; the queues `without` are left out.

    Raises SettingsError with every fault of everything.
    """
    faults: list[str] = []
    paths = _manifests_in(manifests, faults)
    found = _leave_out(_read_all(paths, faults) if paths or faults else _built_in(), without, faults)
    set_up = {name: value for name, value in env.items() if value.strip()}
    made_up = {name: value for name, value in _made_up(set_up).items() if name not in set_up}
    completed = {**set_up, **made_up}
    own_port = _own_port(set_up, port, faults)
    running = [(spec, path) for spec, path in found if not spec.suspend]
    if found and not running:
        faults.append("every pool is suspended by its manifest: there is nothing to run")
    pools = _make_pools([spec for spec, _ in running], completed, faults)
    check_packages(faults)
    if server_faults := find_server_faults(completed):
        raise SettingsError("nothing was started, for these settings can't be used:", server_faults)
    return Plan(
        served=tuple(Served(pool, path) for pool, (_, path) in zip(pools, running, strict=True)),
        suspended=tuple(spec.queue for spec, _ in found if spec.suspend),
        source=", ".join(map(str, manifests or [USUAL_FOLDER])) if paths else "the settings built in",
        env=completed,
        own_port=own_port,
        made_up=frozenset(made_up),
        processes=processes,
        reload=reload,
    )


def _made_up(env: Mapping[str, str]) -> dict[str, str]:
    """Give what takes the place of what is not set; dev's own servers and folder have theirs when they are there."""
    made_up = {"GEMINI_API_KEY": STANDIN_KEY, "WEBHOOK_SECRET": made_up_secret(), "MAIL_FROM": SENDER}
    if "SMTP_HOST" not in env:
        made_up |= {"SMTP_URL": f"smtp://{HOST}:{MAILBOX_PORT}"} | ({} if "SMTP_URL" in env else {"SMTP_TLS": "none"})
    if "DATABASE_URL" not in env:
        made_up["NEON_DATABASE_URL"] = f"postgresql://{HOST}/postgres"
    return made_up | {"STORAGE_FOLDER": str(Path.cwd()), "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


def _leave_out(
    found: list[tuple[PoolSpec, Path | None]], without: Sequence[str], faults: list[str]
) -> list[tuple[PoolSpec, Path | None]]:
    queues = [spec.queue for spec, _ in found]
    faults += [f"--without: {queue!r} is none of: {', '.join(queues)}" for queue in without if queue not in queues]
    return [(spec, path) for spec, path in found if spec.queue not in without]


def _manifests_in(given: Sequence[Path], faults: list[str]) -> list[Path]:
    """List the files, with those in folders."""
    if not given and not USUAL_FOLDER.is_dir():
        return []
    paths: list[Path] = []
    for place in given or [USUAL_FOLDER]:
        inside = sorted(path for path in place.glob("*") if path.suffix in {".yaml", ".yml"}) if place.is_dir() else []
        if place.is_dir() and not inside:
            faults.append(f"{place}: no manifest (*.yaml) is in this folder")
        paths += inside if place.is_dir() else [place]
    return list(dict.fromkeys(paths))


def _read_all(paths: Sequence[Path], faults: list[str]) -> list[tuple[PoolSpec, Path | None]]:
    found: list[tuple[PoolSpec, Path | None]] = []
    for path in paths:
        try:
            found += [(spec, path) for spec in pools.read_manifests(path.read_text(encoding="utf-8"), str(path))]
        except SettingsError as error:
            faults += [f"{path}: {fault}" for fault in error.faults]
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}")
    places: dict[str, Path | None] = {}
    for spec, place in found:
        if spec.queue in places:
            faults.append(f"{place}: the queue {spec.queue!r} is in {places[spec.queue]} too; one pool may serve it")
        places.setdefault(spec.queue, place)
    return found


def _built_in() -> list[tuple[PoolSpec, Path | None]]:
    return [(registry.pool_for_queue(queue), None) for queue in registry.PLATFORM]


def _make_pools(specs: Sequence[PoolSpec], env: Mapping[str, str], faults: list[str]) -> list[pools.Pool]:
    try:
        return pools.make_pools(specs, env)
    except SettingsError as error:
        faults += error.faults
        faults += _to_leave_out(specs, env)
        return []


def _to_leave_out(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> list[str]:
    """Say how to start without the queues that lack something, where there are others."""
    lacking = [spec.queue for spec in specs if not _can_be_made(spec, env)]
    if not lacking or len(lacking) == len(specs):
        return []
    return [f"or start without what lacks something: {' '.join(f'--without {queue}' for queue in lacking)}"]


def _can_be_made(spec: PoolSpec, env: Mapping[str, str]) -> bool:
    try:
        pools.make_pools([spec], env)
    except SettingsError:
        return False
    return True


def _own_port(env: Mapping[str, str], port: int | None, faults: list[str]) -> int | None:
    """Choose the port of dev's own Redis; 0 for any that is free. None where a Redis is configured."""
    configured = [name for name in ("REDIS_URL", "REDIS_HOST") if name in env]
    configured += [name for name in ("REDIS_SENTINELS", "REDIS_NODES") if env.get(name)]
    if configured and port is not None:
        faults.append(f"--port: is for the Redis that dev starts, but {configured[0]} is set; leave one of them out")
    if configured:
        return None
    if port is None:
        return USUAL_PORT if is_free(USUAL_PORT) else 0
    if port and not is_free(port):
        faults.append(f"--port: {port} is in use; give another, or leave --port out to have a free one chosen")
    return port
