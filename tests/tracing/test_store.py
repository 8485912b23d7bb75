"""Every call of a store has a span that says of what, and a duration; and nothing else changes."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, cast

import pytest
from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import (
    AttachmentCreateParams,
    FileAttachment,
    Page,
    ThreadItem,
    ThreadMetadata,
)
from opentelemetry.trace import StatusCode, get_current_span

from chatkit_prod.gate import Gate
from chatkit_prod.store import DelegatingStore, gate_of
from chatkit_prod.testing import MemoryStore
from chatkit_prod.tracing.store import TracedAttachmentStore, TracedStore
from tests.servers import NOW, MemoryAttachmentStore, furnish, hidden_items
from tests.tracing.recording import Recorder, attributes, is_child, recorded
from tests.tracing.requests_traced import current, traced_request

pytestmark = pytest.mark.anyio

THREAD = ThreadMetadata(id="thr_1", created_at=NOW, title="unseen")
ITEM: ThreadItem = hidden_items("thr_1")[0]
FILE = FileAttachment(id="atc_1", name="unseen.txt", mime_type="text/plain", thread_id="thr_1")
LOOSE_FILE = FileAttachment(id="atc_2", name="unseen.txt", mime_type="text/plain")
NEW_FILE = AttachmentCreateParams(name="unseen.txt", size=1, mime_type="text/plain")

_THREAD = {"gen_ai.conversation.id": "thr_1"}
_ITEM = {**_THREAD, "chatkit.item.id": "hid_1"}
_TYPED = {**_ITEM, "chatkit.item.type": "hidden_context_item"}
_FILE = {"chatkit.attachment.id": "atc_1"}


Instead = Callable[[], Coroutine[Any, Any, Any]]


class Call(NamedTuple):
    """A call of one method.

    Args:
        args: Its arguments, without the context.
        told: What its span says besides the method and the class.
    """

    args: tuple[Any, ...]
    told: dict[str, Any]


CALLS: dict[str, Call] = {
    "load_thread": Call(("thr_1",), _THREAD),
    "save_thread": Call((THREAD,), _THREAD),
    "load_thread_items": Call(
        ("thr_1", None, 20, "asc"), {**_THREAD, "chatkit.page.limit": 20, "chatkit.page.rows": 4}
    ),
    "load_threads": Call((20, None, "asc"), {"chatkit.page.limit": 20, "chatkit.page.rows": 2}),
    "add_thread_item": Call(("thr_1", ITEM), _TYPED),
    "save_item": Call(("thr_1", ITEM), _TYPED),
    "load_item": Call(("thr_1", "hid_1"), _ITEM),
    "delete_thread_item": Call(("thr_1", "hid_1"), _ITEM),
    "delete_thread": Call(("thr_1",), _THREAD),
    "save_attachment": Call((FILE,), {**_FILE, **_THREAD}),
    "load_attachment": Call(("atc_1",), _FILE),
    "delete_attachment": Call(("atc_1",), _FILE),
}
FILE_CALLS: dict[str, Call] = {
    "create_attachment": Call((NEW_FILE,), {}),
    "delete_attachment": Call(("atc_1",), _FILE),
}
SILENT: dict[str, tuple[Any, ...]] = {
    "generate_thread_id": (None,),
    "generate_item_id": ("message", THREAD, None),
}
SILENT_FILES: dict[str, tuple[Any, ...]] = {"generate_attachment_id": ("text/plain", None)}
"""Makers of ids: they do not wait."""


def methods(of: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}


def test_every_method_of_chatkit_is_tested_here() -> None:
    assert methods(Store) == CALLS.keys() | SILENT.keys()
    assert methods(AttachmentStore) == FILE_CALLS.keys() | SILENT_FILES.keys()


class Answering(DelegatingStore[Any]):
    """Does for every call what a test wants, or passes it on; knows the span in which it was called."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.instead: Instead | None = None
        self.called_in = list[object]()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in CALLS:
            return found

        async def call(*args: Any) -> Any:
            self.called_in.append(get_current_span())
            return await (found(*args) if self.instead is None else self.instead())

        return call


class AnsweringFiles(MemoryAttachmentStore):
    """Likewise, for attachments."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: Instead | None = None

    async def create_attachment(self, input: AttachmentCreateParams, context: Any) -> Any:  # noqa: A002
        return await (self.instead() if self.instead else super().create_attachment(input, context))

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        await (self.instead() if self.instead else super().delete_attachment(attachment_id, context))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def inner() -> Answering:
    store = Answering()
    asyncio.run(furnish(store.inner))
    return store


@pytest.fixture
def store(inner: Answering, recorder: Recorder) -> TracedStore[Any]:
    return TracedStore(inner, tracer_provider=recorder.tracers, meter_provider=recorder.meters)


@pytest.fixture
def files(recorder: Recorder) -> TracedAttachmentStore[Any]:
    return TracedAttachmentStore(
        AnsweringFiles(), tracer_provider=recorder.tracers, meter_provider=recorder.meters
    )


async def asked(store: Any, method: str, call: Call) -> Any:
    return await getattr(store, method)(*call.args, None)


@pytest.mark.parametrize(("method", "call"), CALLS.items(), ids=CALLS)
async def test_every_call_has_a_span_that_says_of_what(
    store: TracedStore[Any], inner: Answering, recorder: Recorder, method: str, call: Call
) -> None:
    with current(traced_request(recorder)):
        await asked(store, method, call)
    span = recorder.span(f"store.{method}")
    named = {"chatkit.store.method": method, "chatkit.store.class": "MemoryStore"}
    assert attributes(span) == {**named, **call.told}
    assert span.status.status_code is StatusCode.UNSET
    assert is_child(span, recorder.span("request"))
    ((found, point),) = recorder.points("chatkit.store.duration")
    assert found == named
    assert point.count == 1
    assert [getattr(called_in, "name", "") for called_in in inner.called_in] == [f"store.{method}"]
    assert "unseen" not in span.to_json()


@pytest.mark.parametrize(("method", "call"), FILE_CALLS.items(), ids=FILE_CALLS)
async def test_every_call_of_an_attachment_store_has_a_span_as_well(
    files: TracedAttachmentStore[Any], recorder: Recorder, method: str, call: Call
) -> None:
    await asked(files, method, call)
    named = {"chatkit.store.method": method, "chatkit.store.class": "AnsweringFiles"}
    assert attributes(recorder.span(f"store.{method}")) == {**named, **call.told}
    assert [found for found, _ in recorder.points("chatkit.store.duration")] == [named]


async def test_an_attachment_of_no_thread_names_none(store: TracedStore[Any], recorder: Recorder) -> None:
    await store.save_attachment(LOOSE_FILE, None)
    assert "gen_ai.conversation.id" not in attributes(recorder.span("store.save_attachment"))


@pytest.mark.parametrize(("method", "call"), CALLS.items(), ids=CALLS)
async def test_what_a_store_returns_is_handed_on_as_it_is(
    store: TracedStore[Any], inner: Answering, method: str, call: Call
) -> None:
    answer = Page[Any](data=[1, 2], has_more=False) if method.startswith("load") else None

    async def instead() -> Any:
        return answer

    inner.instead = instead
    assert await asked(store, method, call) is answer


def test_the_makers_of_ids_have_no_span(
    store: TracedStore[Any], files: TracedAttachmentStore[Any], recorder: Recorder
) -> None:
    for wrapper, silent in ((store, SILENT), (files, SILENT_FILES)):
        for method, args in silent.items():
            made = getattr(wrapper, method)(*args)
            of_the_app = getattr(wrapper.inner, method)(*args)
            assert (made[:4], len(made)) == (of_the_app[:4], len(of_the_app))
    assert recorder.spans == ()


@pytest.mark.parametrize(
    ("method", "call"),
    [*CALLS.items(), *FILE_CALLS.items()],
    ids=[*CALLS, *(f"files {name}" for name in FILE_CALLS)],
)
@pytest.mark.parametrize("error", [OSError("unseen"), NotFoundError(), asyncio.CancelledError()], ids=repr)
async def test_an_exception_of_a_store_goes_on_and_is_told_for_what_it_is(
    recorder: Recorder, method: str, call: Call, error: BaseException
) -> None:
    async def raising() -> None:
        raise error

    inner: Any = Answering() if call is CALLS.get(method) else AnsweringFiles()
    inner.instead = raising
    wrapper: Any = TracedStore if isinstance(inner, Answering) else TracedAttachmentStore
    store = wrapper(inner, tracer_provider=recorder.tracers, meter_provider=recorder.meters)
    with current(traced_request(recorder)) as request, pytest.raises(type(error)) as raised:
        await asked(store, method, call)
    assert raised.value is error
    span = recorder.span(f"store.{method}")
    ((measured, point),) = recorder.points("chatkit.store.duration")
    assert point.count == 1
    assert "unseen" not in span.to_json()
    if isinstance(error, OSError):
        assert (attributes(span)["error.type"], span.status.status_code) == ("OSError", StatusCode.ERROR)
        assert recorded(recorder.spans) == {(span.name, "OSError"): 1}
        assert measured["error.type"] == "OSError"
        assert request.failure is error
    elif isinstance(error, NotFoundError):
        assert (attributes(span)["chatkit.outcome"], span.status.status_code) == ("refused", StatusCode.UNSET)
        assert "error.type" not in {**attributes(span), **measured}
        assert recorded(recorder.spans) == {}
        assert request.failure is None
    else:
        assert attributes(span)["chatkit.outcome"] == "cancelled"
        assert "error.type" not in {**attributes(span), **measured}
        assert span.status.status_code is StatusCode.UNSET


async def test_a_call_of_which_nobody_wants_to_know_is_made_all_the_same(
    store: TracedStore[Any], recorder: Recorder
) -> None:
    with current(traced_request(recorder, is_wanted=False)):
        assert (await store.load_thread("thr_1", None)).id == "thr_1"
    assert recorder.names == ["request"]
    assert recorder.points("chatkit.store.duration") == []


async def test_calls_at_the_same_time_have_spans_of_their_own(
    store: TracedStore[Any], recorder: Recorder
) -> None:
    with current(traced_request(recorder)):
        await asyncio.gather(*(store.load_thread("thr_1", None) for _ in range(20)))
    spans = [span for span in recorder.spans if span.name == "store.load_thread"]
    assert len(spans) == 20
    assert all(is_child(span, recorder.span("request")) for span in spans)


# ------------------------------------------------------------------------------------------------ the app's own


class OwnStore(MemoryStore):
    limit = 7

    def search(self, text: str) -> str:
        return f"found {text}"


class OwnFiles(MemoryAttachmentStore):
    def url_of(self, attachment_id: str) -> str:
        return f"https://files.example.com/{attachment_id}"


def test_what_only_the_apps_own_store_has_is_there_as_well(recorder: Recorder) -> None:
    store: Any = TracedStore(OwnStore(), tracer_provider=recorder.tracers)
    files: Any = TracedAttachmentStore(OwnFiles(), tracer_provider=recorder.tracers)
    assert (store.search("x"), store.limit) == ("found x", 7)
    assert files.url_of("atc_1") == "https://files.example.com/atc_1"


def test_what_nobody_has_is_an_attribute_error() -> None:
    for wrapper in (TracedStore(OwnStore()), TracedAttachmentStore(OwnFiles())):
        assert not hasattr(wrapper, "nothing")


@pytest.mark.parametrize(
    "wrapper", [TracedStore(OwnStore()), TracedAttachmentStore(OwnFiles())], ids=["store", "files"]
)
def test_a_wrapper_can_be_copied(wrapper: Any) -> None:
    duplicate = copy.copy(wrapper)
    assert type(duplicate) is type(wrapper)
    assert duplicate.inner is wrapper.inner


def test_the_class_is_that_of_the_apps_own_store_behind_every_wrapper(recorder: Recorder) -> None:
    store = TracedStore(DelegatingStore(DelegatingStore(OwnStore())), tracer_provider=recorder.tracers)
    asyncio.run(store.load_threads(1, None, "asc", None))
    assert attributes(recorder.span("store.load_threads"))["chatkit.store.class"] == "OwnStore"


def test_the_gate_of_the_store_inside_is_seen_through_it() -> None:
    class Guarded(DelegatingStore[Any]):
        @property
        def gate(self) -> Gate | None:
            return found

    found = cast("Gate", object())
    assert gate_of(TracedStore(Guarded(MemoryStore()))) is found
