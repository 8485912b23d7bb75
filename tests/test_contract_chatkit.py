"""What we rely on in openai-chatkit, checked against the release that is installed."""

import inspect
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import pytest
from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult
from chatkit.store import StoreItemType
from chatkit.types import NonStreamingReq, StreamingReq, ThreadMetadata, ThreadStreamEvent, is_streaming_req
from pydantic import BaseModel

from chatkit_prod.dispatch import Dispatch
from chatkit_prod.operation import Limits, operation_names, parse
from chatkit_prod.testing import MemoryStore, one_of_each
from tests.servers import NOW, FullServer, bounded, every_request, furnish, hello, hidden_items

pytestmark = pytest.mark.anyio

STREAMING: tuple[type[BaseModel], ...] = get_args(StreamingReq)
OTHERS: tuple[type[BaseModel], ...] = get_args(NonStreamingReq)


def _name(request: type[BaseModel]) -> str:
    name: str = request.model_fields["type"].default
    return name


NAMES = {_name(request): request for request in STREAMING + OTHERS}


def test_there_are_sixteen_request_types_and_we_know_each() -> None:
    assert len(STREAMING) == 6
    assert len(OTHERS) == 10
    assert operation_names() == set(NAMES) == set(one_of_each()) == set(every_request())


@pytest.mark.parametrize("name", NAMES)
def test_we_agree_on_which_requests_stream(name: str) -> None:
    parsed = parse(one_of_each()[name], Limits())
    assert type(parsed.request) is NAMES[name]
    assert parsed.streaming == is_streaming_req(parsed.request) == (NAMES[name] in STREAMING)


# ------------------------------------------------------------------------------------------------ ids

NOT_OF_A_STORE = {
    "params.input.content.id",  # of an entity that the app has made up
    "params.input.inference_options.tool_choice.id",  # of a tool
}
"""What is called an id and names neither a thread nor an item nor an attachment."""


def _fields(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Yield the path of every field below a model."""
    model.model_rebuild()
    for name, info in model.model_fields.items():
        here = f"{path}.{name}".lstrip(".")
        yield here
        queue = [info.annotation]
        while queue:
            annotation = queue.pop()
            if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
                yield from _fields(annotation, here)
            queue += get_args(annotation)


def _ids(request: type[BaseModel]) -> set[str]:
    named = {path for path in _fields(request) if re.search(r"(?:^|[._])(?:ids?|attachments?)$", path)}
    return named - NOT_OF_A_STORE


def test_the_walk_finds_the_ids_that_we_know_of() -> None:
    assert set().union(*map(_ids, NAMES.values())) == {
        "params.thread_id",
        "params.item_id",
        "params.item_ids",
        "params.attachment_id",
        "params.input.attachments",
    }


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param(name, path, id=f"{name} {path}")
        for name, model in NAMES.items()
        for path in sorted(_ids(model))
    ],
)
def test_every_id_field_of_every_request_type_is_reported(name: str, path: str) -> None:
    request = json.loads(one_of_each()[name])
    *parents, last = path.split(".")
    place = request
    for parent in parents:
        place = place[parent]
    plural = last in {"item_ids", "attachments"}
    place[last] = ["x_1", "x_2"] if plural else "x_1"
    parsed = parse(json.dumps(request).encode(), Limits())
    reported = {"thread_id": (parsed.thread_id,), "item_id": parsed.item_ids, "item_ids": parsed.item_ids}
    found = reported.get(last, parsed.attachment_ids)
    assert found == (("x_1", "x_2") if plural else ("x_1",))


# ------------------------------------------------------------------------------------------------ entrances


class CountingStore(MemoryStore):
    """Makes the same ids in every run."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    def generate_thread_id(self, context: Any) -> str:
        return f"thr_new_{next(self._numbers)}"

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        return f"{item_type}_new_{next(self._numbers)}"


class Frozen(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return NOW


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of ChatKit."""
    monkeypatch.setattr("chatkit.server.datetime", Frozen)
    monkeypatch.setattr("chatkit.store.uuid.uuid4", lambda: type("Fixed", (), {"hex": "0" * 32}))


async def _server(kind: type[FullServer] = FullServer) -> FullServer:
    store = CountingStore()
    await furnish(store)
    return kind(hello, store)


async def _of_chatkit(body: bytes) -> bytes:
    """Answer as the handler of the official guide does."""
    result = await (await _server()).process(body, None)
    if isinstance(result, NonStreamingResult):
        return result.json
    return b"".join([chunk async for chunk in result])


async def _of_ours(body: bytes, server: ChatKitServer[Any]) -> bytes:
    dispatch, operation = Dispatch(server), parse(body, Limits())
    if not operation.streaming:
        return await dispatch.answer(operation, None)
    events, encoder = await dispatch.events(operation, None)
    return b"".join([encoder(event) async for event in events])


class Public(FullServer):
    """Has a `process` of its own."""

    async def process(
        self, request: str | bytes | bytearray, context: Any
    ) -> StreamingResult | NonStreamingResult:
        return await super().process(request, context)


@pytest.mark.parametrize("kind", [FullServer, Public], ids=["direct", "public"])
@pytest.mark.parametrize("name", every_request())
@bounded
async def test_our_answer_is_chatkits_byte_for_byte(name: str, kind: type[FullServer]) -> None:
    body = every_request("Grüße, 你好, 👋🏽\u2028 ' \" \\")[name]
    server = await _server(kind)
    assert Dispatch(server).direct == (kind is FullServer)
    assert await _of_ours(body, server) == await _of_chatkit(body)


CHANGES: list[Any] = [
    pytest.param("process", "threads.list", id="process, json"),
    pytest.param("process", "threads.create", id="process, stream"),
    pytest.param("_process_streaming", "threads.create", id="_process_streaming"),
    pytest.param("_serialize", "threads.list", id="_serialize, json"),
    pytest.param("_serialize", "threads.create", id="_serialize, stream"),
]


@pytest.mark.parametrize("on_instance", [False, True], ids=["class", "instance"])
@pytest.mark.parametrize(("method", "name"), CHANGES)
@bounded
async def test_a_method_that_a_server_has_changed_is_called(
    method: str, name: str, *, on_instance: bool
) -> None:
    called: list[str] = []

    def changed(self: Any, *args: Any) -> Any:
        called.append(method)
        return getattr(FullServer, method)(self, *args)

    if on_instance:
        server = await _server()
        setattr(server, method, changed.__get__(server))
    else:
        server = await _server(type("Changed", (FullServer,), {method: changed}))
    assert await _of_ours(every_request()[name], server) == await _of_chatkit(every_request()[name])
    assert called


# ------------------------------------------------------------------------------------------------ the wire


@pytest.mark.parametrize("event", get_args(get_args(ThreadStreamEvent)[0]), ids=lambda event: event.__name__)
def test_the_type_of_an_event_is_its_first_key(event: type[BaseModel]) -> None:
    assert next(iter(event.model_fields)) == "type"
    assert event.model_fields["type"].default
    assert event.model_fields["type"].alias is None


@pytest.mark.parametrize("name", [_name(request) for request in STREAMING])
@bounded
async def test_the_type_of_a_serialised_event_is_its_first_key(name: str) -> None:
    answer = await _of_chatkit(every_request()[name])
    for chunk in answer.removesuffix(b"\n\n").split(b"\n\n"):
        assert chunk.startswith(b'data: {"type":"')
        assert next(iter(json.loads(chunk.removeprefix(b"data: ")))) == "type"


@pytest.mark.parametrize("item", hidden_items("thr_1"), ids=lambda item: item.type)
def test_the_type_of_a_serialised_item_stands_as_we_look_for_it(item: BaseModel) -> None:
    assert f'"type":"{item.model_dump()["type"]}"' in item.model_dump_json()


def test_what_is_hidden_is_what_we_think() -> None:
    source = inspect.getsource(ChatKitServer)
    assert set(re.findall(r"\b\w*HiddenContextItem\b", source)) == {
        type(item).__name__ for item in hidden_items("")
    }
