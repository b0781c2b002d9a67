"""Where traces are sent is read from OpenTelemetry's own variables, and every fault is named."""

import pytest

from edworkers.adapters.tracing.settings import find_faults, is_wanted

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize("env", [COLLECTOR, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}])
def test_an_endpoint_turns_tracing_on(env: dict[str, str]) -> None:
    assert is_wanted(env)
    assert find_faults(env) == []


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {**COLLECTOR, "OTEL_SDK_DISABLED": "True"},
        {**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_without_one_or_where_that_is_turned_off(env: dict[str, str]) -> None:
    assert not is_wanted(env)
    assert find_faults(env) == []


@pytest.mark.parametrize("url", ["collector:4318", "grpc://collector:4317", "http://", "http://[::1", "http://c:99999"])
def test_what_is_no_address_is_named(url: str) -> None:
    [fault] = find_faults({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
    assert fault.startswith(f"OTEL_EXPORTER_OTLP_ENDPOINT: {url!r} is no address")


def test_grpc_is_refused_by_the_variable_that_asks_for_it() -> None:
    [fault] = find_faults({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert fault.startswith("OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' isn't spoken")
    assert find_faults({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) == []
    more = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert find_faults({**COLLECTOR, **more}) == []
