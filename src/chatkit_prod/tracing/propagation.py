"""The caller's span and baggage, from the headers of a request: W3C Trace Context level 2, W3C Baggage.

OpenTelemetry's own propagators start from whatever happens to be current, believe the first of two parents,
know the grammar of level 1 only, and log what they do not understand: anybody could fill a log with that.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from chatkit_prod.asgi import Scope, header_values

_PARENT = re.compile(
    rb"[ \t]*(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*",
    re.DOTALL,
)
_MEMBER = re.compile(rb"([a-z0-9][_0-9a-z\-*/@]{0,255})=([ -+\--<>-~]{0,255}[!-+\--<>-~])")
_FLAGS = 0x03
"""Sampled, and random-trace-id. The others are to be zero (§3.2.2.5.3)."""
_MAX_STATES = 32

_BAGGAGE_VALUE = re.compile(rb"(?:[!#-$&-+\--:<-\[\]-~]|%[0-9A-Fa-f]{2})*")
_MAX_BAGGAGE_MEMBERS = 64
_MAX_BAGGAGE_BYTES = 8192

_NOBODY = Context()


class _Members(TraceState):
    """Members that have been checked already, by a grammar that the constructor of `TraceState` does not know."""

    def __init__(self, members: dict[str, str]) -> None:
        super().__init__()
        self._dict = members


_NO_MEMBERS = TraceState()


def remote_context(scope: Scope, *, baggage: frozenset[str] = frozenset()) -> Context:
    """Return the caller's span as a context; never what happens to be current.

    Args:
        scope: An HTTP scope; its headers are untrusted.
        baggage: Keys of W3C Baggage that are taken over, of 64 members in 8,192 bytes (§3.3.2). Of two
            members with one key the first counts; whatever is malformed is left out, and so is whatever is over
            these limits. The values stay untrusted.

    Returns:
        An empty context if there is no `traceparent`, more than one, or a wrong one (§3.2). A wrong `tracestate`
        is ignored as a whole, and the parent is not (§3.3).
    """
    parents = [value for name, value in scope["headers"] if name == b"traceparent"]
    context = _NOBODY
    if len(parents) == 1 and (parent := _parsed(parents[0])) is not None:
        state = _trace_state(list(header_values(scope, b"tracestate")))
        context = _context_of(parent, state)
    if baggage:
        for name, value in _members_of_baggage(scope, baggage):
            context = set_baggage(name, value, context)
    return context


def context_of(traceparent: str | None) -> Context:
    """Return the span of a `traceparent` that came alone, as in a body; an empty context if there is none in it.

    Args:
        traceparent: As the client sent it: untrusted.
    """
    parent = None if traceparent is None else _parsed(traceparent.encode())
    return _NOBODY if parent is None else _context_of(parent, _NO_MEMBERS)


def _parsed(traceparent: bytes) -> re.Match[bytes] | None:
    parent = _PARENT.fullmatch(traceparent)
    return None if parent is None or (parent[1] == b"00" and parent[5]) else parent


def _context_of(parent: re.Match[bytes], state: TraceState) -> Context:
    span = SpanContext(
        trace_id=int(parent[2], 16),
        span_id=int(parent[3], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parent[4], 16) & _FLAGS),
        trace_state=state,
    )
    return set_span_in_context(NonRecordingSpan(span), _NOBODY)


def _trace_state(headers: list[bytes]) -> TraceState:
    """Return the members of all headers, in their order (§3.3.1); none if one of them is wrong."""
    if not headers:
        return _NO_MEMBERS
    combined = b",".join(headers)
    if combined.count(b",") >= _MAX_STATES:
        return _NO_MEMBERS
    members = dict[str, str]()
    for part in combined.split(b","):
        text = part.strip(b" \t")
        if not text:
            continue
        member = _MEMBER.fullmatch(text)
        if member is None:
            return _NO_MEMBERS
        members.setdefault(member[1].decode(), member[2].decode())
    return _Members(members)


def _members_of_baggage(scope: Scope, wanted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wanted, each key once; percent-decoded, and without its properties."""
    combined = b",".join(header_values(scope, b"baggage"))
    if len(combined) > _MAX_BAGGAGE_BYTES:
        combined = combined[: _MAX_BAGGAGE_BYTES + 1].rpartition(b",")[0]  # no member is cut in two
    missing = set(wanted)
    for member in combined.split(b",", _MAX_BAGGAGE_MEMBERS)[:_MAX_BAGGAGE_MEMBERS]:
        key, equals, value = (part.strip(b" \t") for part in member.partition(b";")[0].partition(b"="))
        name = key.decode("latin-1")
        if name in missing and equals and _BAGGAGE_VALUE.fullmatch(value):
            missing.remove(name)
            yield name, unquote(value.decode())
