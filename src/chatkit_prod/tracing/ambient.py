"""What is around a request already, and belongs to it: a span that an outer instrumentation has made for it.

What is current when a request begins may also belong to another one: a server that gets a second request on
a connection may start its task out of that of the first, with all of its context variables.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from chatkit_prod.asgi import Scope
from chatkit_prod.state import RequestState

from .names import URL_PATH
from .request import TracedRequest


def is_traced(state: RequestState) -> bool:
    """Tell whether a `TracingMiddleware` further out has this very request already."""
    request = TracedRequest.current()
    return request is not None and request.state is state


def outer_span(scope: Scope) -> Span | None:
    """Return the SERVER span of an outer instrumentation for this request, which is to be joined.

    It is taken if it names this path, and is not the span of a request that a `TracingMiddleware` has already.

    Args:
        scope: That of the request.
    """
    span = trace.get_current_span()
    if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.SERVER:
        return None
    request = TracedRequest.current()
    if request is not None and request.span is span:
        return None
    path = scope["path"]
    paths = {path, scope.get("root_path", "") + path}
    return None if paths.isdisjoint(_paths_of(getattr(span, "attributes", None) or {})) else span


def _paths_of(attributes: Mapping[str, Any]) -> set[str]:
    """Return what may be the path, by the attributes of today's conventions, or of those before 1.21."""
    target = attributes.get(URL_PATH, attributes.get("http.target"))
    if isinstance(target, str):
        return {target, target.partition("?")[0]}
    url = attributes.get("http.url")
    return {urlsplit(url).path} if isinstance(url, str) else set()
