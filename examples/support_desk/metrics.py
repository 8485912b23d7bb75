"""The metrics of the desk, for a Prometheus to fetch.

requests → meter provider → reader → registry → the text that Prometheus reads
"""

from inspect import signature

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send

# Before its version 0.63 all readers of a process had to share one registry.
_HAS_ITS_OWN = "registry" in signature(PrometheusMetricReader).parameters


def scrapable() -> tuple[MeterProvider, ASGIApp]:
    """Return what the app measures with, and the ASGI app that tells Prometheus.

    Give the first to `harden(meter_provider=...)`, and shut it down when the app ends. Mount the second where
    Prometheus comes and the public does not: it tells how many there are of everything, and what fails.
    """
    registry = CollectorRegistry() if _HAS_ITS_OWN else REGISTRY
    reader = PrometheusMetricReader(registry=registry) if _HAS_ITS_OWN else PrometheusMetricReader()
    resource = Resource.create({SERVICE_NAME: "support-desk"})
    return MeterProvider(metric_readers=[reader], resource=resource), _Exposition(registry)


class _Exposition:
    """Tells a registry in the format that is asked for.

    Args:
        registry: Collects what it tells when it is asked.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encode, content_type = choose_encoder(Request(scope).headers.get("accept", ""))
        response = Response(encode(self._registry), headers={"content-type": content_type})
        await response(scope, receive, send)
