"""Small ChatKit servers, stores and connections: what a request meets on its way, held up where a test wants it."""

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, ParamSpec

import anyio
from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    ClientToolCallItem,
    FeedbackKind,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    SDKHiddenContextItem,
    StructuredInputFreeform,
    StructuredInputItem,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)

from chatkit_prod.asgi import ASGIApp, Message, RawHeaders, Scope
from chatkit_prod.principal import Principal
from chatkit_prod.sse import SSEDecoder
from chatkit_prod.state import RequestState
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, one_of_each

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive
JSON = ((b"content-type", b"application/json"),)

Script = Callable[[ThreadMetadata], AsyncIterator[ThreadStreamEvent]]
P = ParamSpec("P")


def bounded(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, Coroutine[Any, Any, None]]:
    """Let a test fail that hangs."""

    @functools.wraps(test)
    async def within_seconds(*args: P.args, **kwargs: P.kwargs) -> None:
        with anyio.fail_after(10):
            await test(*args, **kwargs)

    return within_seconds


async def forever() -> None:
    """Wait for what never comes, as for a model that hangs."""
    await asyncio.Event().wait()


# ------------------------------------------------------------------------------------------------ servers


class ScriptedServer(ChatKitServer[Any]):
    """Answers every message with what a script yields.

    Args:
        script: An async generator function of the thread.
        store: Where threads are kept; a new `MemoryStore` if None.
        attachment_store: Where files are kept, if anywhere.
    """

    def __init__(
        self,
        script: Script,
        store: Store[Any] | None = None,
        attachment_store: AttachmentStore[Any] | None = None,
    ) -> None:
        super().__init__(MemoryStore() if store is None else store, attachment_store)
        self.script = script

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.script(thread)


class FullServer(ScriptedServer):
    """Does something for every request type."""

    def __init__(self, script: Script, store: Store[Any]) -> None:
        super().__init__(script, store, MemoryAttachmentStore())
        self.feedback: list[str] = []

    def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.script(thread)

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> SyncCustomActionResponse:
        return SyncCustomActionResponse(updated_item=answer(thread, "Hello"))

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Any
    ) -> None:
        self.feedback += item_ids

    async def transcribe(self, audio_input: AudioInput, context: Any) -> TranscriptionResult:
        return TranscriptionResult(text="Hello")


async def furnish(store: Store[Any]) -> None:
    """Put into a store what every request of `every_request` names."""
    for thread_id in ("thr_1", "thr_tool"):
        await store.save_thread(
            ThreadMetadata(id=thread_id, created_at=NOW, metadata={"owner": "alice"}), None
        )
    question = StructuredInputFreeform(id="q1", question="Which?")
    items: list[ThreadItem] = [
        UserMessageItem(
            id="msg_1",
            thread_id="thr_1",
            created_at=NOW,
            content=[UserMessageTextContent(text="Hello")],
            inference_options=InferenceOptions(),
        ),
        StructuredInputItem(id="inp_1", thread_id="thr_1", created_at=NOW, inputs=[question]),
        ClientToolCallItem(
            id="tc_1", thread_id="thr_tool", created_at=NOW, call_id="call_1", name="tool", arguments={}
        ),
        *hidden_items("thr_1"),
    ]
    for item in items:
        await store.add_thread_item(item.thread_id, item, None)
    await store.save_attachment(FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain"), None)


def every_request(text: str = "Hello") -> dict[str, bytes]:
    """Return a request of each type that a furnished `FullServer` can answer, by type."""
    requests = one_of_each(text=text)
    requests["threads.add_structured_input"] = one_of_each(item_id="inp_1", text=text)[
        "threads.add_structured_input"
    ]
    requests["threads.add_client_tool_output"] = one_of_each(thread_id="thr_tool", text=text)[
        "threads.add_client_tool_output"
    ]
    return requests


class MemoryAttachmentStore(AttachmentStore[Any]):
    """Keeps nothing but what it was asked to delete."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def create_attachment(self, input: AttachmentCreateParams, context: Any) -> Attachment:  # noqa: A002
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        return FileAttachment(id=attachment_id, name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        self.deleted.append(attachment_id)


def hello(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    """Say hello in two words."""
    return typed(thread, "Hel", "lo")


async def typed(thread: ThreadMetadata, *deltas: str) -> AsyncIterator[ThreadStreamEvent]:
    """Yield one whole assistant message, word by word."""
    yield added(thread)
    for text in deltas:
        yield delta(text)
    yield done(thread, "".join(deltas))


async def nothing(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    """Yield no event."""
    return
    yield done(thread, "")


def answer(thread: ThreadMetadata, text: str = "", item_id: str = "msg_answer") -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text)] if text else []
    return AssistantMessageItem(id=item_id, thread_id=thread.id, created_at=NOW, content=content)


def added(thread: ThreadMetadata) -> ThreadItemAddedEvent:
    return ThreadItemAddedEvent(item=answer(thread))


def delta(text: str) -> ThreadItemUpdatedEvent:
    update = AssistantMessageContentPartTextDelta(content_index=0, delta=text)
    return ThreadItemUpdatedEvent(item_id="msg_answer", update=update)


def done(thread: ThreadMetadata, text: str) -> ThreadItemDoneEvent:
    return ThreadItemDoneEvent(item=answer(thread, text))


def hidden_items(thread_id: str) -> tuple[HiddenContextItem, SDKHiddenContextItem]:
    """Return one item of each kind that must not leave."""
    return (
        HiddenContextItem(id="hid_1", thread_id=thread_id, created_at=NOW, content={"secret": "one"}),
        SDKHiddenContextItem(id="shcx_1", thread_id=thread_id, created_at=NOW, content="secret two"),
    )


# ------------------------------------------------------------------------------------------------ stores


class Gate:
    """A place where somebody is held up until a test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


class SteppedStore(DelegatingStore[Any]):
    """Awaits something of the test's before every call that writes, and after it.

    Args:
        inner: The store that does the work.
        step: Called with the name of the method.
    """

    def __init__(self, inner: Store[Any], step: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(inner)
        self._step = step

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        await self._step("save_thread")
        await super().save_thread(thread, context)
        await self._step("save_thread")

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._step("add_thread_item")
        await super().add_thread_item(thread_id, item, context)
        await self._step("add_thread_item")


def held(**gates: Gate) -> Callable[[str], Awaitable[None]]:
    """Return a step that waits at the gate of the method's name, if there is one."""

    async def step(method: str) -> None:
        if method in gates:
            await gates[method]()

    return step


async def stored_items(store: Store[Any]) -> list[ThreadItem]:
    """Return every item of the only thread of a store, first the oldest."""
    (thread,) = (await store.load_threads(2, None, "asc", None)).data
    return (await store.load_thread_items(thread.id, None, 1000, "asc", None)).data


def texts(items: Iterable[ThreadItem]) -> list[str]:
    """Return the text of every assistant message."""
    return [
        "".join(part.text for part in item.content)
        for item in items
        if isinstance(item, AssistantMessageItem)
    ]


def markers(items: Iterable[ThreadItem]) -> int:
    """Return how often ChatKit noted that the user had cancelled."""
    return sum(isinstance(item, SDKHiddenContextItem) for item in items)


# ------------------------------------------------------------------------------------------------ connections


def http_scope(*, method: str = "POST", headers: RawHeaders = JSON) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/chatkit",
        "raw_path": b"/chatkit",
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def signed_in_scope(*, expires_in: float | None = None) -> tuple[Scope, RequestState]:
    """Return a scope, and the state that a layer in front has put into it.

    Args:
        expires_in: Seconds until the credential is void; None if it has no end.
    """
    scope, state = RequestState.seed(http_scope())
    expires_at = None if expires_in is None else time.time() + expires_in
    state.principal = Principal(issuer="https://idp.example.com", subject="user_1", expires_at=expires_at)
    return scope, state


class Wire:
    """Both channels of one request, and a client that can go away.

    Args:
        body: The body of the request.
        on_send: Awaited before a message counts as sent; raises or blocks as a connection would.

    Attributes:
        gone: Set by a test when the client goes away.
        told: Set when the app has been told so.
        sent: The messages of the app.
    """

    def __init__(
        self, body: bytes = b"", *, on_send: Callable[[Message], Awaitable[None]] | None = None
    ) -> None:
        self._body: bytes | None = body
        self._on_send = on_send
        self.gone = asyncio.Event()
        self.told = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        self.told.set()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._on_send is not None:
            await self._on_send(message)
        self.sent.append(message)

    async def request(self, app: ASGIApp, scope: Scope | None = None) -> "Wire":
        """Send the request, and return when the app is done with it."""
        await app(http_scope() if scope is None else scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        return [event.json() for event in SSEDecoder().feed(self.body)]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def ended(self) -> bool:
        """Whether the response is complete: the last message says so, and only that one does."""
        return [message.get("more_body", False) for message in self.sent[1:]] == [True] * (
            len(self.sent) - 2
        ) + [False]
