"""ASGI helpers change nothing that they are given."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.asgi import (
    Message,
    Receive,
    Scope,
    Send,
    decline,
    header_values,
    pass_lifespan,
    with_headers,
)
from tests.servers import bounded, http_scope

pytestmark = pytest.mark.anyio

NAMES = st.sampled_from([b"vary", b"x-request-id", b"content-language"])
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=3)))


@given(HEADERS, NAMES)
def test_every_value_of_a_header_is_found_in_the_order_of_the_wire(
    headers: list[tuple[bytes, bytes]], name: bytes
) -> None:
    found = list(header_values(http_scope(headers=headers), name))
    assert found == [value for key, value in headers if key == name]


@given(HEADERS, HEADERS, HEADERS)
def test_added_headers_stand_beside_others_and_missing_ones_only_fill_gaps(
    own: list[tuple[bytes, bytes]], added: list[tuple[bytes, bytes]], missing: list[tuple[bytes, bytes]]
) -> None:
    message: Message = {"type": "http.response.start", "status": 200, "headers": own}
    before = copy.deepcopy(message)
    headers = with_headers(message, added=added, missing=missing)["headers"]
    taken = {name for name, _ in own + added}
    assert headers == own + added + [(name, value) for name, value in missing if name not in taken]
    assert message == before


def test_a_header_is_not_missing_because_of_its_case() -> None:
    message: Message = {"type": "http.response.start", "status": 200, "headers": [(b"Vary", b"Origin")]}
    assert with_headers(message, missing=[(b"vary", b"*")])["headers"] == [(b"Vary", b"Origin")]


def test_a_head_without_headers_gets_them() -> None:
    message: Message = {"type": "http.response.start", "status": 200}
    assert with_headers(message, missing=[(b"a", b"b")])["headers"] == [(b"a", b"b")]


@pytest.mark.parametrize(
    ("kind", "told", "answers"),
    [
        pytest.param("websocket", ["websocket.connect"], ["websocket.close"], id="a WebSocket is refused"),
        pytest.param(
            "lifespan",
            ["lifespan.startup", "lifespan.shutdown"],
            ["lifespan.startup.complete", "shut down", "lifespan.shutdown.complete"],
            id="a lifespan is lived through",
        ),
        pytest.param("something.new", [], [], id="a type to come is left alone"),
    ],
)
@bounded
async def test_what_is_not_http_is_declined(kind: str, told: list[str], answers: list[str]) -> None:
    incoming = iter(told)
    events: list[str] = []

    async def at_shutdown() -> None:
        events.append("shut down")

    async def receive() -> Message:
        return {"type": next(incoming)}

    async def send(message: Message) -> None:
        events.append(message["type"])

    await decline({"type": kind}, receive, send, at_shutdown=at_shutdown)
    assert events == answers


@pytest.mark.parametrize(
    ("kind", "answers"),
    [("lifespan", []), ("websocket", ["websocket.close"]), ("carrier pigeon", ["websocket.close"])],
)
async def test_a_lifespan_goes_on_to_the_app_and_nothing_else_but_http_does(
    kind: str, answers: list[str]
) -> None:
    inside, sent = list[Scope](), list[Message]()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        inside.append(scope)

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        sent.append(message)

    await pass_lifespan(app, {"type": kind}, receive, send)
    assert [scope["type"] for scope in inside] == (["lifespan"] if kind == "lifespan" else [])
    assert [message["type"] for message in sent] == answers
