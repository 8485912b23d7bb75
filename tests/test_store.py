"""A wrapper of a store hands everything on, and makes the ids that the app makes."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chatkit.store import AttachmentStore, Store, StoreItemType
from chatkit.types import ThreadMetadata

from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore, UnguessableIds
from chatkit_prod.testing import MemoryStore
from tests.servers import NOW, MemoryAttachmentStore, bounded

pytestmark = pytest.mark.anyio

CONTEXT = object()


def _public_methods(base: type) -> Iterator[str]:
    for name, _ in inspect.getmembers(base, inspect.isfunction):
        if not name.startswith("_"):
            yield name


def _recording(base: type, calls: list[tuple[str, tuple[Any, ...]]]) -> Any:
    """Return a store that notes its calls, arguments by position, and answers each with an object of its own."""

    def method(name: str) -> Callable[..., Any]:
        signature = inspect.signature(getattr(base, name))
        result = object()

        def note(*args: Any, **kwargs: Any) -> object:
            calls.append((name, signature.bind(*args, **kwargs).args[1:]))
            return result

        async def note_async(*args: Any, **kwargs: Any) -> object:
            return note(*args, **kwargs)

        recorder: Callable[..., Any] = (
            note_async if inspect.iscoroutinefunction(getattr(base, name)) else note
        )
        recorder.result = result  # type: ignore[attr-defined]
        return recorder

    return type("Recording", (base,), {name: method(name) for name in _public_methods(base)})()


EVERY = [
    pytest.param(base, wrapper, name, id=f"{base.__name__}.{name}")
    for base, wrapper in [(Store, DelegatingStore), (AttachmentStore, DelegatingAttachmentStore)]
    for name in _public_methods(base)
]


def test_a_store_has_fourteen_methods_and_an_attachment_store_three() -> None:
    assert len(list(_public_methods(Store))) == 14
    assert len(list(_public_methods(AttachmentStore))) == 3


@pytest.mark.parametrize(("base", "wrapper", "name"), EVERY)
@pytest.mark.parametrize("by_keyword", [False, True], ids=["by position", "by keyword"])
@bounded
async def test_every_method_is_handed_on_with_the_same_arguments(
    base: type, wrapper: Callable[[Any], Any], name: str, by_keyword: bool
) -> None:
    calls: list[tuple[str, tuple[Any, ...]]] = []
    inner = _recording(base, calls)
    names = list(inspect.signature(getattr(base, name)).parameters)[1:]
    values = {parameter: object() for parameter in names}
    method = getattr(wrapper(inner), name)
    result = method(**values) if by_keyword else method(*values.values())
    if inspect.isawaitable(result):
        result = await result
    assert calls == [(name, tuple(values.values()))]
    assert result in (getattr(inner, name).__func__.result, None)
    has_answer = inspect.signature(getattr(base, name)).return_annotation not in (None, "None")
    assert (result is not None) == has_answer


@pytest.mark.parametrize(("base", "wrapper", "name"), EVERY)
def test_every_method_is_overridden_with_the_signature_of_chatkit(
    base: type, wrapper: type, name: str
) -> None:
    assert name in vars(wrapper)
    ours, theirs = inspect.signature(getattr(wrapper, name)), inspect.signature(getattr(base, name))
    assert list(ours.parameters) == list(theirs.parameters)
    assert inspect.iscoroutinefunction(getattr(wrapper, name)) == inspect.iscoroutinefunction(
        getattr(base, name)
    )


class _Guessable(MemoryStore):
    """A store that has gone back to ChatKit's ids, as most apps have them."""

    def generate_thread_id(self, context: Any) -> str:
        return Store.generate_thread_id(self, context)

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        return Store.generate_item_id(self, item_type, thread, context)


class _MixedAttachments(UnguessableIds, MemoryAttachmentStore):
    """An attachment store with the mixin, as `MemoryStore` is a store with it."""


def _ids(store: Store[Any]) -> Iterator[str]:
    thread = ThreadMetadata(id="thr_1", created_at=NOW)
    yield store.generate_thread_id(None)
    for kind in ("message", "tool_call", "task", "workflow", "attachment", "sdk_hidden_context"):
        yield store.generate_item_id(kind, thread, None)


def test_ids_of_the_mixin_have_128_random_bits_behind_the_prefix_of_chatkit() -> None:
    theirs = [found.partition("_")[0] for found in _ids(_Guessable())]
    for _ in range(100):
        ids = list(_ids(MemoryStore()))
        assert [found.partition("_")[0] for found in ids] == theirs
        assert all(re.fullmatch(r"[a-z]+_[0-9a-f]{32}", found) for found in ids)
        assert len(set(ids)) == len(ids)
    assert re.fullmatch(r"atc_[0-9a-f]{32}", _MixedAttachments().generate_attachment_id("text/plain", None))


def test_a_wrapper_makes_the_ids_of_the_store_that_it_wraps() -> None:
    assert all(len(found.partition("_")[2]) == 8 for found in _ids(DelegatingStore(_Guessable())))
    assert all(len(found.partition("_")[2]) == 32 for found in _ids(DelegatingStore(MemoryStore())))
