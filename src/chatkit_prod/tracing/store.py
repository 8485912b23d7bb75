"""A span around every call of a store: which one, of what, how many rows, how long, and what went wrong."""

from collections.abc import Awaitable, Mapping
from time import perf_counter
from typing import Any, TypeVar, cast

from chatkit.store import AttachmentStore, Store
from chatkit.types import Attachment, AttachmentCreateParams, Page, ThreadItem, ThreadMetadata
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore

from .calls import TracedCall, is_refusal, is_unwanted
from .failures import type_of
from .metrics import Metrics
from .names import (
    ATTACHMENT_ID,
    CONVERSATION_ID,
    ITEM_ID,
    ITEM_TYPE,
    PAGE_LIMIT,
    PAGE_ROWS,
    SCOPE,
    STORE_CLASS,
    STORE_METHOD,
    store_span,
)
from .quietly import quietly

TContext = TypeVar("TContext")
T = TypeVar("T")


class _Calls:
    """Makes the spans of the calls of one store, and measures them.

    Args:
        inner: The store; its spans tell the class of the app's own, which it may hold.
        tracer_provider: Where spans go; the global provider if None.
        meter_provider: Where the metric goes; the global provider if None.
    """

    def __init__(
        self, inner: object, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None
    ) -> None:
        self._class = type(_innermost(inner)).__qualname__
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._meter_provider = meter_provider
        self._metrics: Metrics | None = None

    def trace(self, method: str, call: Awaitable[T], **ids: str | int | None) -> Awaitable[T]:
        """Return what awaits a call inside of a span; the call itself, if nobody wants to know of it.

        Args:
            method: That of the store.
            call: What it returned.
            ids: What of: `thread`, `item`, `item_type`, `attachment`, `limit`.
        """
        return call if is_unwanted() else self._traced(method, call, ids)

    async def _traced(self, method: str, call: Awaitable[T], ids: Mapping[str, str | int | None]) -> T:
        attributes: dict[str, str | int] = {STORE_METHOD: method, STORE_CLASS: self._class}
        for name, value in ids.items():
            if value is not None:
                attributes[_ATTRIBUTES[name]] = value
        call_span = TracedCall(self._tracer, store_span(method), attributes)
        error_type: str | None = None
        started = perf_counter()
        try:
            with call_span as span:
                found = await call
                rows = getattr(found, "data", None)
                if isinstance(rows, list):
                    span.set_attribute(PAGE_ROWS, len(cast("list[object]", rows)))
                return found
        except Exception as error:
            error_type = None if is_refusal(error) else type_of(error)
            raise
        finally:
            seconds = perf_counter() - started
            with quietly:
                metrics = self._metrics = self._metrics or Metrics.of(self._meter_provider)
                metrics.store_called(method, self._class, error_type, seconds, call_span.span)


_ATTRIBUTES = {
    "thread": CONVERSATION_ID,
    "item": ITEM_ID,
    "item_type": ITEM_TYPE,
    "attachment": ATTACHMENT_ID,
    "limit": PAGE_LIMIT,
}


def only_of(wrapper: "TracedStore[Any] | TracedAttachmentStore[Any]", name: str) -> Any:
    """Return an attribute that a wrapper does not have itself from the store inside.

    Raises:
        AttributeError: That has none either, or the wrapper is being copied, and does not hold a store yet.
    """
    if "inner" not in vars(wrapper):
        raise AttributeError(name)
    return getattr(wrapper.inner, name)


def _innermost(store: Any) -> object:
    """Return the app's own store, which wrappers of ours may hold."""
    while isinstance(store, DelegatingStore | DelegatingAttachmentStore):
        store = cast("Any", store).inner
    return store


class TracedStore(DelegatingStore[TContext]):
    """A store with a span around each of its calls; what else it has is there as well.

    Args:
        inner: The store that does the work, such as an `OwnershipStore`.
        tracer_provider: Where spans go; the global provider if None.
        meter_provider: Where the metric `chatkit.store.duration` goes; the global provider if None.
    """

    def __init__(
        self,
        inner: Store[TContext],
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        super().__init__(inner)
        self._calls = _Calls(inner, tracer_provider, meter_provider)

    def __getattr__(self, name: str) -> Any:
        """Return what only the app's own store has."""
        return only_of(self, name)

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Load a thread's metadata, traced."""
        call = self.inner.load_thread(thread_id, context)
        return await self._calls.trace("load_thread", call, thread=thread_id)

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Insert or replace a thread's metadata, traced."""
        call = self.inner.save_thread(thread, context)
        await self._calls.trace("save_thread", call, thread=thread.id)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Load a page of a thread's items, traced."""
        call = self.inner.load_thread_items(thread_id, after, limit, order, context)
        return await self._calls.trace("load_thread_items", call, thread=thread_id, limit=limit)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Insert or replace an attachment's metadata, traced."""
        call = self.inner.save_attachment(attachment, context)
        await self._calls.trace(
            "save_attachment", call, attachment=attachment.id, thread=attachment.thread_id
        )

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Load an attachment's metadata, traced."""
        call = self.inner.load_attachment(attachment_id, context)
        return await self._calls.trace("load_attachment", call, attachment=attachment_id)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata, traced."""
        call = self.inner.delete_attachment(attachment_id, context)
        await self._calls.trace("delete_attachment", call, attachment=attachment_id)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """Load a page of threads, traced."""
        call = self.inner.load_threads(limit, after, order, context)
        return await self._calls.trace("load_threads", call, limit=limit)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread, traced."""
        call = self.inner.add_thread_item(thread_id, item, context)
        await self._calls.trace("add_thread_item", call, thread=thread_id, item=item.id, item_type=item.type)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item, traced."""
        call = self.inner.save_item(thread_id, item, context)
        await self._calls.trace("save_item", call, thread=thread_id, item=item.id, item_type=item.type)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Load an item, traced."""
        call = self.inner.load_item(thread_id, item_id, context)
        return await self._calls.trace("load_item", call, thread=thread_id, item=item_id)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread and its items, traced."""
        call = self.inner.delete_thread(thread_id, context)
        await self._calls.trace("delete_thread", call, thread=thread_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item, traced."""
        call = self.inner.delete_thread_item(thread_id, item_id, context)
        await self._calls.trace("delete_thread_item", call, thread=thread_id, item=item_id)


class TracedAttachmentStore(DelegatingAttachmentStore[TContext]):
    """An attachment store with a span around each of its calls; what else it has is there as well.

    Args:
        inner: The attachment store that does the work.
        tracer_provider: Where spans go; the global provider if None.
        meter_provider: Where the metric `chatkit.store.duration` goes; the global provider if None.
    """

    def __init__(
        self,
        inner: AttachmentStore[TContext],
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        super().__init__(inner)
        self._calls = _Calls(inner, tracer_provider, meter_provider)

    def __getattr__(self, name: str) -> Any:
        """Return what only the app's own attachment store has."""
        return only_of(self, name)

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:  # noqa: A002
        """Register an attachment that is to be uploaded, traced."""
        call = self.inner.create_attachment(input, context)
        return await self._calls.trace("create_attachment", call)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's bytes, traced."""
        call = self.inner.delete_attachment(attachment_id, context)
        await self._calls.trace("delete_attachment", call, attachment=attachment_id)
