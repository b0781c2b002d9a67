"""What OpenAPI says of the API, held against a server that runs: schemathesis sends what it says can be sent."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.integration.server_site import GOOD

from edworkers.standins.redis import RedisServer

START_SECONDS = 60
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
]
POOL = {
    "queue": "ai",
    "handlers": "edworkers.handlers.ai",
    "schedules": [{"name": "token-cleanup", "schedule": "17 * * * *", "job": {"data": GOOD}}],
}


@pytest.fixture(scope="module")
def server(_shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder: Path = tmp_path_factory.mktemp("server")
    manifest = folder / "ai.yaml"
    manifest.write_text(json.dumps({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": POOL}))
    env = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": _shared_redis.url,
        "EDWORKERS_SERVER_AUTH": "none",
        "EDWORKERS_LOG_FORMAT": "json",
    }
    command = (sys.executable, "-m", "edworkers", "server", "--port", "0", "--pool", str(manifest))
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stderr=log)
        try:
            yield _address(folder / "log")
        finally:
            process.terminate()
            assert process.wait(30) == 0
    assert "request.failed" not in (folder / "log").read_text()


def _address(log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        lines = [
            json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")
        ]
        for line in lines:
            if line["event"] == "server.started":
                return str(line["address"])
        time.sleep(0.05)
    pytest.fail(f"it didn't start: {log.read_text()}")


@pytest.fixture(scope="module")
def api(server: str) -> schemathesis.BaseSchema:
    with httpx2.Client(base_url=server, trust_env=False, timeout=30) as client:
        jobs = [{"id": "answer-1", "data": GOOD}, {"id": "answer-2", "data": GOOD, "delay": 3600}]
        assert client.post("/v1/queues/ai/jobs/bulk", json=jobs).json()["processing"] == 2
        document = client.get("/v1/openapi.json").json()
    _without_streams(document)
    return schemathesis.openapi.from_dict(document)


def _without_streams(document: dict[str, dict[str, dict[str, object]]]) -> None:
    """Leave out what doesn't end by itself; test_server_events follows those."""
    for path in [path for path in document["paths"] if path.endswith("/events")]:
        del document["paths"][path]


BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_the_server_answers_whatever_can_be_sent_as_openapi_says(api: schemathesis.BaseSchema, server: str) -> None:
    tried = 0
    for found in api.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @BOUNDED
        @given(case=operation.as_strategy())
        def answers(case: "Case[Any]") -> None:
            if "queue" in case.path_parameters and len(str(case.path_parameters)) % 4:
                case.path_parameters["queue"] = "ai"  # most names that are made up are of no queue
            case.headers.pop("Authorization", None)  # and most keys are of nobody
            answer = case.call(base_url=server, timeout=60)
            case.validate_response(answer, checks=CHECKS)

        answers()
        tried += 1
    assert tried > 15
