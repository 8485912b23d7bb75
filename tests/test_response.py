"""Those who keep their own handler get the same answers, with the headers that they set."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from chatkit_prod import ChatKitEndpoint, ChatKitResponse, ConfigurationError, RequestState
from chatkit_prod.asgi import ASGIApp, Message
from chatkit_prod.testing import MemoryStore
from tests.servers import (
    FullServer,
    Wire,
    bounded,
    every_request,
    furnish,
    hello,
    http_scope,
    signed_in_scope,
)

pytestmark = pytest.mark.anyio

Handler = Callable[[Request], Awaitable[Response]]


async def _server() -> FullServer:
    store = MemoryStore()
    await furnish(store)
    return FullServer(hello, store)


def _app(handler: Handler) -> ASGIApp:
    return Starlette(routes=[Route("/chatkit", handler, methods=["POST"])])


@pytest.mark.parametrize("name", every_request())
@bounded
async def test_a_handler_answers_every_request_type_as_the_endpoint_does(name: str) -> None:
    async def handler(request: Request) -> Response:
        return await ChatKitResponse.of(server, request, "context")

    server = await _server()
    ours = await Wire(every_request()[name]).request(_app(handler))
    theirs = await Wire(every_request()[name]).request(ChatKitEndpoint(await _server()))
    assert ours.status == theirs.status == 200
    assert set(ours.headers) == set(theirs.headers)
    assert len(ours.sent) == len(theirs.sent)
    assert ours.ended


@bounded
async def test_the_server_gets_the_context_of_the_handler() -> None:
    class Noting(FullServer):
        async def add_feedback(self, *args: Any, **kwargs: Any) -> None:
            contexts.append(args[-1])

    async def handler(request: Request) -> Response:
        return await ChatKitResponse.of(Noting(hello, MemoryStore()), request, "context of the handler")

    contexts: list[Any] = []
    await Wire(every_request()["items.feedback"]).request(_app(handler))
    assert contexts == ["context of the handler"]


@bounded
async def test_a_body_that_the_handler_has_read_is_not_lost() -> None:
    async def handler(request: Request) -> Response:
        assert (await request.json())["type"] == "threads.list"
        return await ChatKitResponse.of(server, request, None)

    server = await _server()
    wire = await Wire(every_request()["threads.list"]).request(_app(handler))
    assert wire.status == 200


@pytest.mark.parametrize("name", ["threads.create", "threads.list"])
@bounded
async def test_headers_cookies_and_a_background_task_of_the_handler_are_respected(name: str) -> None:
    async def handler(request: Request) -> Response:
        response = await ChatKitResponse.of(server, request, None)
        response.headers["x-mine"] = "1"
        response.set_cookie("session", "2")
        response.background = BackgroundTask(done.append, "ran")
        return response

    done: list[str] = []
    server = await _server()
    wire = await Wire(every_request()[name]).request(_app(handler))
    assert wire.headers["x-mine"] == "1"
    assert wire.headers["set-cookie"].startswith("session=2;")
    assert "x-request-id" in wire.headers
    assert [header for header, _ in wire.sent[0]["headers"]].count(b"content-length") <= 1
    assert wire.ended
    assert done == ["ran"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        pytest.param(b"{", b"application/json", 400, id="invalid"),
        pytest.param(every_request()["threads.list"], b"text/plain", 415, id="media type"),
        pytest.param(every_request()["threads.list"] + b" " * 999, b"application/json", 413, id="too large"),
    ],
)
@bounded
async def test_a_refusal_is_a_response_as_well(body: bytes, content_type: bytes, status: int) -> None:
    async def handler(request: Request) -> Response:
        response = await ChatKitResponse.of(server, request, None, max_body_bytes=999)
        response.headers["x-mine"] = "1"
        return response

    server = await _server()
    wire = await Wire(body).request(_app(handler), http_scope(headers=[(b"content-type", content_type)]))
    assert wire.status == wire.json["status"] == status
    assert wire.headers["x-mine"] == "1"


@bounded
async def test_the_state_that_a_layer_in_front_has_seeded_is_used() -> None:
    async def handler(request: Request) -> Response:
        return await ChatKitResponse.of(server, request, None)

    server = await _server()
    scope, state = signed_in_scope()
    wire = await Wire(every_request()["threads.list"]).request(_app(handler), scope)
    assert wire.headers["x-request-id"] == state.request_id
    assert (state.operation.name, state.outcome) == ("threads.list", "completed")


@bounded
async def test_nothing_is_sent_and_the_server_does_not_run_before_the_response_does() -> None:
    server = await _server()
    wire = Wire(every_request()["threads.create"])
    scope, _ = RequestState.seed(http_scope())
    response = await ChatKitResponse.of(server, Request(scope, wire.receive), None)
    assert len((await server.store.load_threads(10, None, "asc", None)).data) == 2
    await response(scope, wire.receive, wire.send)
    assert len((await server.store.load_threads(10, None, "asc", None)).data) == 3
    assert wire.ended


@bounded
async def test_a_client_that_goes_away_in_its_own_body_is_the_handlers_to_know() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    server = await _server()
    with pytest.raises(ClientDisconnect):
        await ChatKitResponse.of(server, Request(http_scope(), receive), None)


@bounded
async def test_an_option_out_of_range_is_a_configuration_error() -> None:
    server = await _server()
    with pytest.raises(ConfigurationError):
        await ChatKitResponse.of(server, Request(http_scope()), None, keep_alive=0)
