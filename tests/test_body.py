"""A body is read once, within its limit, and can be read again by whoever comes next."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from chatkit_prod.asgi import Message, Receive
from chatkit_prod.body import read_body, replay, require_json
from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError, UnsupportedMediaTypeError
from tests.servers import bounded, http_scope

pytestmark = pytest.mark.anyio


def _channel(*messages: Message) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return receive


def _chunks(chunks: Sequence[bytes]) -> list[Message]:
    last = len(chunks) - 1
    return [
        {"type": "http.request", "body": chunk, "more_body": number < last}
        for number, chunk in enumerate(chunks)
    ]


def _request(chunks: Sequence[bytes], **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(http_scope(headers=raw), _channel(*_chunks(chunks)))


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset = utf-8",
    ],
)
def test_json_in_utf_8_is_taken(value: str) -> None:
    require_json(http_scope(headers=[(b"content-type", value.encode())]))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["text/plain"],
        ["application/jsonp"],
        ["application/problem+json"],
        ["multipart/form-data; application/json"],
        ["application/json; charset=utf-16"],
        ["application/json; charset=latin-1"],
        ["application/json, text/plain"],
        ["application/json", "application/json"],
        ["application/json", "text/plain"],
        ["\xff"],
    ],
    ids=repr,
)
def test_anything_else_is_an_unsupported_media_type(values: list[str]) -> None:
    headers = [(b"content-type", value.encode("latin-1")) for value in values]
    with pytest.raises(UnsupportedMediaTypeError):
        require_json(http_scope(headers=headers))


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=6))
async def test_a_body_in_any_number_of_pieces_is_one_body(chunks: list[bytes]) -> None:
    body = b"".join(chunks)
    assert await read_body(_request(chunks), limit=max(len(body), 1)) == body


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=6))
async def test_a_body_that_is_one_byte_too_long_is_refused(chunks: list[bytes]) -> None:
    limit = len(b"".join(chunks)) - 1
    with pytest.raises(ContentTooLargeError) as caught:
        await read_body(_request(chunks), limit=limit)
    assert caught.value.limit == "max_body_bytes"


@bounded
async def test_a_body_over_the_limit_is_not_read_to_its_end() -> None:
    request = _request([b"1234", b"5678", b"9"])
    with pytest.raises(ContentTooLargeError):
        await read_body(request, limit=5)
    assert (await request.receive())["body"] == b"9"


@pytest.mark.parametrize("length", ["6", "10", "99999999999999999999", "1" * 5000])
@bounded
async def test_a_declared_length_over_the_limit_is_refused_before_reading(length: str) -> None:
    request = _request([b"12345"], content_length=length)
    with pytest.raises(ContentTooLargeError):
        await read_body(request, limit=5)
    assert (await request.receive())["body"] == b"12345"


@pytest.mark.parametrize("length", ["", "-1", "5.0", "0x5", "five", "5 5", "\u0665"])
@bounded
async def test_a_declared_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(InvalidRequestError):
        await read_body(_request([b"12345"], content_length=length), limit=5)


@bounded
async def test_a_declared_length_within_the_limit_is_not_believed() -> None:
    assert await read_body(_request([b"12345"], content_length="5"), limit=5) == b"12345"
    with pytest.raises(ContentTooLargeError):
        await read_body(_request([b"123456"], content_length="5"), limit=5)


@bounded
async def test_a_client_that_goes_away_in_its_own_body_is_a_disconnect() -> None:
    receive = _channel(
        {"type": "http.request", "body": b"12", "more_body": True}, {"type": "http.disconnect"}
    )
    with pytest.raises(ClientDisconnect):
        await read_body(Request(http_scope(), receive), limit=5)


@bounded
async def test_a_body_that_was_read_is_given_again_once_and_then_comes_the_wire() -> None:
    receive = replay(b"12345", _channel({"type": "http.disconnect"}))
    assert await receive() == {"type": "http.request", "body": b"12345", "more_body": False}
    assert await receive() == {"type": "http.disconnect"}
