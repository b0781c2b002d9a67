"""Traces by OpenTelemetry, sent over OTLP; its SDK is loaded only where tracing is on."""
