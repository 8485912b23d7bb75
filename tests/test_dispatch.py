"""A server that has changed an entrance is entered through it, and every other by the short way."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult

from chatkit_prod.dispatch import Dispatch
from chatkit_prod.operation import Limits, parse
from chatkit_prod.sse import WireEncoder, encode
from chatkit_prod.testing import MemoryStore, one_of_each
from tests.servers import ScriptedServer, bounded, hello

pytestmark = pytest.mark.anyio

PASSED_BY = ["process", "_process_streaming", "_serialize"]
STREAM = parse(one_of_each()["threads.create"], Limits())
LIST = parse(one_of_each()["threads.list"], Limits())


def _changed(name: str) -> type[ScriptedServer]:
    """Return a class of servers that does the same in a method of its own."""

    def changed(self: ScriptedServer, *args: Any) -> Any:
        return getattr(ChatKitServer, name)(self, *args)

    return type("Changed", (ScriptedServer,), {name: changed})


def test_a_server_that_has_changed_nothing_is_entered_directly() -> None:
    assert Dispatch(ScriptedServer(hello)).direct


@pytest.mark.parametrize("name", PASSED_BY)
def test_a_class_that_has_changed_an_entrance_is_entered_through_it(name: str) -> None:
    assert not Dispatch(_changed(name)(hello)).direct


@pytest.mark.parametrize("name", PASSED_BY)
def test_an_instance_on_which_an_entrance_was_set_later_is_entered_through_it(name: str) -> None:
    server = ScriptedServer(hello)
    dispatch = Dispatch(server)
    setattr(server, name, getattr(server, name))
    assert not dispatch.direct


@pytest.mark.parametrize("name", ["_process_streaming_impl", "_process_non_streaming"])
def test_an_inner_entrance_of_another_shape_is_not_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def other(self: object, request: object) -> None: ...

    assert not Dispatch(type("Changed", (ScriptedServer,), {name: other})(hello)).direct
    monkeypatch.delattr(ChatKitServer, name)
    assert not Dispatch(type("Unchanged", (ScriptedServer,), {})(hello)).direct


@pytest.mark.parametrize("name", PASSED_BY)
def test_a_release_that_lacks_an_entrance_is_not_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ChatKitServer, name)
    assert not Dispatch(type("Unchanged", (ScriptedServer,), {})(hello)).direct


@pytest.mark.parametrize("name", ["_process_streaming_impl", "_process_non_streaming"])
def test_an_inner_entrance_that_a_server_has_changed_is_taken(name: str) -> None:
    async def changed(self: object, request: object, context: object) -> None: ...

    assert Dispatch(type("Changed", (ScriptedServer,), {name: changed})(hello)).direct


async def _chunks(events: AsyncIterator[Any], encoder: Callable[[Any], bytes]) -> list[bytes]:
    return [encoder(event) async for event in events]


@pytest.mark.parametrize(
    ("server", "direct"),
    [(ScriptedServer, True), *((_changed(name), False) for name in PASSED_BY)],
    ids=["direct", *PASSED_BY],
)
@bounded
async def test_both_entrances_answer(server: type[ScriptedServer], *, direct: bool) -> None:
    dispatch = Dispatch(server(hello))
    events, found = await dispatch.events(STREAM, None)
    assert found is encode if direct else isinstance(found, WireEncoder)
    chunks = await _chunks(events, found)
    assert len(chunks) == 7
    assert all(chunk.startswith(b'data: {"type":') and chunk.endswith(b"\n\n") for chunk in chunks)
    assert b'"has_more":false' in await dispatch.answer(LIST, None)


@bounded
async def test_an_answer_of_the_wrong_kind_is_a_type_error() -> None:
    class Confusing(ScriptedServer):
        async def process(
            self, request: str | bytes | bytearray, context: Any
        ) -> StreamingResult | NonStreamingResult:
            other = LIST if request == STREAM.body else STREAM
            return await super().process(other.body, context)

    dispatch = Dispatch(Confusing(hello, MemoryStore()))
    with pytest.raises(TypeError, match=r"threads\.list"):
        await dispatch.answer(LIST, None)
    with pytest.raises(TypeError, match=r"threads\.create"):
        await dispatch.events(STREAM, None)
