"""Traces by OpenTelemetry: a run, its steps, each call of the model and each function, where an endpoint is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """What this thread does meanwhile, within the span that it is in; what is raised is noted with it."""
    tracer = _tracer()
    if tracer is None:
        yield
        return
    named = {f"memweb.{key}": value for key, value in attributes.items()}
    with tracer.start_as_current_span(name, attributes=named):
        yield


@cache
def _tracer() -> "Tracer | None":
    """One for each process. It sends from a thread of its own: a collector that is away delays nothing."""
    if not settings.TRACES_URL:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "memweb"}))
    exporter = OTLPSpanExporter(endpoint=f"{settings.TRACES_URL.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("memweb")
