"""Traces across API, jobs and model servers (W3C Trace Context), by OpenTelemetry's API.

A request's `traceparent` goes with all that is done for it. Spans are recorded and exported where the environment names
an exporter (`OTEL_EXPORTER_OTLP_ENDPOINT`) and the extra `otel` is installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from indexer.errors import SettingsError

_PROPAGATOR = TraceContextTextMapPropagator()
_EXPORTER_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Source: OpenTelemetry's specification of environment variables; the exporter reads these and the others itself."""


@contextmanager
def open_span(name: str, traceparent: str | None = None, **attributes: str) -> Iterator[None]:
    """Trace what the block does, in this thread and those that inherit its context.

    `traceparent` names the span that this one belongs to, by its header; None: the current one.
    """
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    tracer = trace.get_tracer("afterimage")
    with tracer.start_as_current_span(name, context=parent, attributes=attributes):
        yield


def describe_span(name: str, **attributes: str | int) -> None:
    """Give the current span its final name, and attributes besides."""
    span = trace.get_current_span()
    span.update_name(name)
    span.set_attributes(attributes)


def current_traceparent() -> str | None:
    """Return the `traceparent` header that names the current span; None outside of any trace."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers.get("traceparent")


def current_trace_id() -> str | None:
    """Return the id of the current trace, 32 hex digits; None outside of any trace."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def configure_exporter(service: str) -> None:
    """Export the spans of this process where the environment names an exporter, as those of `service`.

    Errors: SettingsError where the extra `otel` is not installed.
    """
    named = [name for name in _EXPORTER_VARIABLES if os.environ.get(name)]
    if not named:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(f"{named[0]} is set, which needs: pip install 'afterimage[otel]'") from error
    resource = Resource.create({} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
