"""Objects in S3: uploads of several parts, and what is said of keys, buckets and servers that don't work."""

import asyncio
import sys
import traceback
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from tests.servers.storage import S3Server, serve_s3

from edworkers.adapters.storage import Store, open_store
from edworkers.core.errors import NotStoredError, StorageError, StorageRefusedError, StorageUnavailableError

MIB = 1024 * 1024


@pytest.fixture
async def store(s3: S3Server) -> AsyncGenerator[Store]:
    async with open_store(s3.env) as store:
        yield store


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def uploads(s3: S3Server) -> bytes:
    return await s3.ask("GET", f"/{s3.bucket}?uploads")


async def faults_of_everything(store: Store, url: str, tmp_path: Path) -> list[StorageError]:
    """Try all that a store can do, and gather what it raises."""
    found = await asyncio.gather(
        store.size(url),
        store.download(url, tmp_path / "out", at_most=9),
        store.write(url, stream(b"small")),
        store.write(url, stream(*[bytes(MIB)] * 10)),
        store.list(url),
        store.delete(url),
        return_exceptions=True,
    )
    return [fault for fault in found if isinstance(fault, StorageError)]


async def test_a_key_is_stored_as_it_stands_in_the_url(s3: S3Server, store: Store) -> None:
    for name in ("100%25 & more.txt", "a+b c.txt"):
        await store.write(s3.url(name), stream(b"x"))
    listed = (await s3.ask("GET", f"/{s3.bucket}")).decode()
    assert "<Key>100%25 &amp; more.txt</Key>" in listed
    assert "<Key>a+b c.txt</Key>" in listed


async def test_what_is_small_goes_in_one_request_and_what_is_large_in_parts(s3: S3Server, store: Store) -> None:
    await store.write(s3.url("small"), stream(bytes(MIB)))
    await store.write(s3.url("large"), stream(*[bytes(MIB)] * 20))
    listed = (await s3.ask("GET", f"/{s3.bucket}")).decode()
    assert listed.count('-3"</ETag>') == 1  # the way S3 marks an object of three parts


async def test_an_upload_that_breaks_is_taken_back(s3: S3Server, store: Store) -> None:
    seen: list[bytes] = []

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        seen.append(await uploads(s3))
        raise EOFError

    with pytest.raises(EOFError):
        await store.write(s3.url("backup"), broken())
    assert b"<Upload>" in seen[0]
    assert b"<Upload>" not in await uploads(s3)


async def test_an_upload_that_is_cancelled_is_taken_back_before_the_job_ends(s3: S3Server, store: Store) -> None:
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        waiting.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(store.write(s3.url("backup"), slow()))
    await waiting.wait()
    assert b"<Upload>" in await uploads(s3)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert b"<Upload>" not in await uploads(s3)


async def test_a_bucket_that_is_missing_is_named(s3: S3Server, store: Store, tmp_path: Path) -> None:
    faults = await faults_of_everything(store, "s3://another/a", tmp_path)
    assert len(faults) == 6
    assert all(isinstance(fault, NotStoredError) for fault in faults)
    assert sum(f"there is no bucket another at {s3.endpoint}" in str(fault) for fault in faults) == 5
    assert "there is no object s3://another/a" in str(faults[0])  # HEAD has no room for a reason


async def test_a_server_that_is_not_there_is_to_be_tried_again(s3: S3Server, tmp_path: Path) -> None:
    async with serve_s3() as gone:
        pass
    async with open_store(gone.env) as store:
        faults = await faults_of_everything(store, "s3://school/a", tmp_path)
    assert len(faults) == 6
    assert all(isinstance(fault, StorageUnavailableError) for fault in faults)
    assert {str(fault) for fault in faults} == {
        f"{gone.endpoint} does not answer: check AWS_ENDPOINT_URL, and that it can be reached"
    }


async def test_keys_that_are_wrong_are_refused_and_not_repeated(s3: S3Server, tmp_path: Path) -> None:
    await s3.ask("POST", "/moto-api/reset-auth", b"0")  # from now on this server looks at the keys
    try:
        async with open_store(s3.env) as store:
            faults = await faults_of_everything(store, "s3://school/a", tmp_path)
    finally:
        await s3.ask("POST", "/moto-api/reset-auth", b"1000000")
    assert len(faults) == 6
    assert all(isinstance(fault, StorageRefusedError) for fault in faults)
    for fault in faults:
        assert f"{s3.endpoint} refuses access to s3://school/a" in str(fault)
        assert "check AWS_ACCESS_KEY_ID" in str(fault)
        told = "".join(traceback.format_exception(fault))
        assert "school-key" not in told
        assert "school-secret" not in told


def answer(status: str, body: bytes, length: int | None = None) -> bytes:
    head = f'HTTP/1.1 {status}\r\nETag: "a"\r\nLast-Modified: Wed, 25 Nov 2026 04:00:00 GMT\r\n'
    return f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        (answer("200 OK", b"short", 100), StorageUnavailableError, r"could not serve s3://school/a just now"),
        (answer("503 Slow", b"<Code>SlowDown</Code>hush"), StorageUnavailableError, r"just now \(SlowDown\)"),
        (answer("429 Many", b"hush"), StorageUnavailableError, r"just now \(429\)"),
        (answer("403 No", b"<Code>AccessDenied</Code>hush"), StorageRefusedError, r"refuses access .*AccessDenied"),
        (answer("401 No", b"hush"), StorageRefusedError, r"refuses access to s3://school/a \(401\)"),
        (answer("400 Bad", b"<Code>InvalidRequest</Code>hush"), StorageRefusedError, r"refuses .*\(InvalidRequest\)"),
        (answer("301 Moved", b"hush"), StorageRefusedError, r"another region: check AWS_REGION"),
        (b"hush\r\n\r\n", StorageUnavailableError, r"does not answer"),
    ],
)
async def test_a_server_that_lies_or_is_busy_or_refuses_is_told_apart(
    said: bytes, kind: type[StorageError], why: str, tmp_path: Path
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_store(S3Server(endpoint).env) as store:
            with pytest.raises(kind, match=why) as caught:
                await store.download("s3://school/a", tmp_path / "out", at_most=1000)
    assert "hush" not in str(caught.value)
    assert not (tmp_path / "out").exists()


async def test_keys_come_from_the_role_of_the_pod_where_none_are_set(s3: S3Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("token-of-the-pod")
    asked: list[bytes] = []

    async def give_keys(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        keys = b'{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2126-11-25T00:00:00Z"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(keys), keys))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(give_keys, "127.0.0.1", 0) as server:
        env = {
            "AWS_ENDPOINT_URL": s3.endpoint,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        }
        async with open_store(env) as store:
            assert await store.write(s3.url("a"), stream(b"x")) == 1
            assert await store.size(s3.url("a")) == 1
    [question] = asked
    assert question.startswith(b"GET /keys ")
    assert b"token-of-the-pod" in question


LARGE = """
import asyncio, os, re, sys
from pathlib import Path
from edworkers.adapters.storage import open_store

MIB = 1024 * 1024

def most_memory():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

async def chunks(mebibytes):
    for _ in range(mebibytes):
        yield os.urandom(MIB)

async def main(url, file):
    async with open_store(os.environ) as store:
        await store.write(url, chunks(1))
        before = most_memory()
        assert await store.write(url, chunks(64)) == 64 * MIB
        assert await store.download(url, Path(file), at_most=64 * MIB) == 64 * MIB
        assert await store.upload(Path(file), url) == 64 * MIB
        print(most_memory() - before)

asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
os._exit(0)  # as the process of a job ends
"""


async def test_a_large_object_never_lies_in_memory_as_a_whole(s3: S3Server, tmp_path: Path) -> None:
    file = tmp_path / "large"
    command = (sys.executable, "-c", LARGE, s3.url("large"), str(file))
    process = await asyncio.create_subprocess_exec(*command, env=s3.env, stdout=PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert file.stat().st_size == 64 * MIB
    assert int(said) < 56, f"{said!r} MiB more for an object of 64 MiB"
