"""The chart's queues that need programs and servers: documents, mail and work on PostgreSQL, in restricted pods."""

import base64
import email
import hashlib
import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pypdfium2
import pytest
import yaml
from tests.cluster import services
from tests.cluster.kube import Kube, eventually, running
from tests.cluster.mail_for_cluster import PORT
from tests.cluster.release import Forwarding, Queue, Redis, install
from tests.integration.documents import docx_parts, package, paragraph

pytestmark = pytest.mark.timeout(300)

PYTHON = "/opt/edworkers/bin/python"
SECRETS = {
    "database": {"NEON_DATABASE_URL": "postgresql://postgres@postgres:5432/postgres"},
    "smtp": {
        "SMTP_HOST": "mail",
        "SMTP_PORT": str(PORT),
        "SMTP_TLS": "insecure",
        "MAIL_FROM": "East <mail@school.test>",
    },
    "storage": {"STORAGE_FOLDER": "/tmp"},
}
QUICK = {"pollingIntervalSeconds": 1, "cooldownSeconds": 3}
CLEANUP = {"name": "cleanup", "schedule": "0 0 1 1 *", "job": {"type": "token-cleanup", "data": {}}}
VALUES: dict[str, Any] = {
    **{name: {"existingSecret": name} for name in SECRETS},
    "documents": {"image": {"tag": "test"}},
    "pools": {
        # One that stays, for its files are looked at.
        "document": {
            "enabled": True,
            "spec": {
                "autoscaling": QUICK | {"minReplicas": 1, "maxReplicas": 1},
                "resources": {"requests": {"cpu": "10m"}},
            },
        },
        "email": {"enabled": True, "spec": {"autoscaling": QUICK}},
        "scheduled": {"enabled": True, "spec": {"autoscaling": QUICK, "schedules": [CLEANUP]}},
    },
}


@pytest.fixture(scope="module")
def platform(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """The release with these pools, and the servers that they need."""
    services.start(kube, "postgres", "edworkers-postgres:test", 5432)
    services.start(kube, "mail", "edworkers-runner-e2e:test", PORT, PYTHON, "-m", "mail_for_cluster")
    services.until_ready(kube, "postgres", "mail")
    for name, values in SECRETS.items():
        kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})
    file: Path = tmp_path_factory.mktemp("values") / "platform.yaml"
    file.write_text(yaml.safe_dump(VALUES), encoding="utf-8")
    install(kube, "edworkers", "--values", str(file))
    kube.until_ready("document", "email", "scheduled")
    yield kube
    install(kube, "edworkers")
    services.stop(kube, "postgres", "mail")
    kube.run("delete", *(f"secret/{name}" for name in SECRETS))


@pytest.fixture
def database(platform: Kube) -> Iterator[psycopg.Connection]:
    forwarding = Forwarding(platform, "postgres", 5432)
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{forwarding.port}/postgres", autocommit=True) as connection:
        yield connection
    forwarding.close()


def scalar(database: psycopg.Connection, query: str) -> Any:
    row = database.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def result_of(queue: Queue, job_id: str) -> dict[str, Any]:
    queue.until_done([job_id])
    found: dict[str, Any] = json.loads(queue.record(job_id)["result"])
    return found


def test_the_tables_were_made_before_the_pools(platform: Kube, database: psycopg.Connection) -> None:
    assert scalar(database, "SELECT count(*) FROM edworkers.jobs WHERE queue = 'nobody'") == 0
    assert platform.get("job", "edworkers-migrate") is None


def put_file(kube: Kube, pod: str, path: str, content: bytes) -> None:
    write = "import base64, sys; open(sys.argv[1], 'wb').write(base64.b64decode(sys.argv[2]))"
    kube.run("exec", pod, "--", PYTHON, "-c", write, path, base64.b64encode(content).decode())


def file_in(kube: Kube, pod: str, path: str) -> bytes:
    read = "import base64, sys; print(base64.b64encode(open(sys.argv[1], 'rb').read()).decode())"
    return base64.b64decode(kube.run("exec", pod, "--", PYTHON, "-c", read, path))


def data_of(source: str, *, to: str, destination: str) -> dict[str, str]:
    return {"source": f"file:///tmp/{source}.docx", "to": to, "destination": f"file:///tmp/{destination}"}


def test_libreoffice_converts_a_document_in_a_restricted_pod(
    platform: Kube, redis: Redis, tell: Callable[[str], None]
) -> None:
    queue = Queue(redis, "document")
    [pod] = eventually(lambda: running(platform.pods_of("document")), lambda: platform.run("get", "pods"))
    name = pod["metadata"]["name"]
    assert pod["spec"]["containers"][0]["image"] == "edworkers-documents:test"
    letter = package(docx_parts(paragraph("Dear parents")))
    put_file(platform, name, "/tmp/letter.docx", letter)
    put_file(platform, name, "/tmp/broken.docx", letter[: len(letter) // 2])
    for source in ("letter", "broken"):
        queue.push({"id": source, "data": data_of(source, to="pdf", destination=f"{source}.pdf")})
    result = result_of(queue, "letter")
    made = file_in(platform, name, "/tmp/letter.pdf")
    found = (result["kind"], result["pages"], result["bytes"], result["sha256"])
    assert found == ("docx", 1, len(made), hashlib.sha256(made).hexdigest())
    document = pypdfium2.PdfDocument(made)
    assert document[0].get_textpage().get_text_range().strip() == "Dear parents"
    tell(f"a letter became a PDF in {result['seconds']} s")
    eventually(lambda: queue.states(["broken"])["dead"], lambda: queue.record("broken"))
    assert json.loads(queue.record("broken")["error"])["kind"] == "document"
    # Once more, to pictures: the same pod, in which nothing of the first ones is in the way.
    queue.push({"id": "pictures", "data": data_of("letter", to="png", destination="pictures/")})
    assert result_of(queue, "pictures")["urls"] == ["file:///tmp/pictures/page-0001.png"]
    assert [again["metadata"]["name"] for again in platform.pods_of("document")] == [name]


def mails(kube: Kube) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kube.run("logs", "mail").splitlines()]


def test_a_mail_arrives(platform: Kube, redis: Redis) -> None:
    queue = Queue(redis, "email")
    data = {
        "to": "Ada <ada@home.test>",
        "subject": "News of the école",
        "html": "<p>Hello <b>Ada</b></p>",
        "attachments": [{"filename": "plan.txt", "content": base64.b64encode(b"at eight").decode()}],
    }
    queue.push({"id": "news", "data": data})
    result = result_of(queue, "news")
    [sent] = mails(platform)
    message: EmailMessage = email.message_from_string(sent["message"], EmailMessage)
    assert sent["to"] == ["ada@home.test"]
    assert message["Message-ID"] == result["messageId"]
    assert message["Message-ID"].startswith("<job.")
    assert {part.get_content_type() for part in message.walk() if not part.is_multipart()} == {
        "text/plain",
        "text/html",
    }
    [attached] = [part for part in message.walk() if part.get_filename()]
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("plan.txt", b"at eight")


def test_a_schedule_deletes_expired_tokens_and_the_database_records_it(
    platform: Kube, redis: Redis, database: psycopg.Connection
) -> None:
    queue = Queue(redis, "scheduled")
    database.execute("CREATE TABLE sessions (id integer PRIMARY KEY, expires_at timestamptz)")
    database.execute("INSERT INTO sessions SELECT n, now() - interval '2 days' FROM generate_series(1, 3) AS n")
    database.execute("INSERT INTO sessions VALUES (4, now() + interval '2 days')")
    # The controller starts it at its time; here, it is started by hand.
    platform.run("create", "job", "cleanup", "--from=cronjob/scheduled-cleanup")
    job_id = f"{platform.namespace}.cleanup"
    result = result_of(queue, job_id)
    assert (result["deleted"], scalar(database, "SELECT min(id) FROM sessions")) == (3, 4)
    recorded = f"SELECT count(*) FROM edworkers.jobs WHERE queue = 'scheduled' AND id = '{job_id}' AND outcome = 'done'"
    eventually(
        lambda: scalar(database, recorded) == 1, lambda: platform.run("logs", "-l", "edworkers.dev/pool=scheduled")
    )
    platform.run("delete", "job", "cleanup")


def test_a_database_is_backed_up_by_the_pg_dump_of_the_image(platform: Kube, redis: Redis) -> None:
    queue = Queue(redis, "scheduled")
    queue.push({"id": "backup", "type": "database-backup", "data": {"destination": "file:///tmp/backups/"}})
    result = result_of(queue, "backup")
    assert result["url"].startswith("file:///tmp/backups/edworkers-backup-postgres-")
    assert result["bytes"] > 1000
    assert result["tocEntries"] > 5
    assert queue.depths()["dead"] == 0
    assert platform.condition("scheduled", "Ready")["status"] == "True"
