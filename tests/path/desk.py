"""A help desk for tests: all 16 operations work, take a moment, and fail where a request says so."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatkit.actions import Action
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    ClientToolCallItem,
    FeedbackKind,
    FileAttachment,
    InferenceOptions,
    Page,
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

from chatkit_prod import RequestState
from chatkit_prod.access import Owner, stamped
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import MemoryStore, chatkit_request, user_message

SECRET = "canary-7d1f"  # what no answer and no log of ours may show

Pause = Callable[[], Awaitable[None]]

_ALICE = Owner(issuer="https://idp.localhost", subject="alice")


@dataclass(frozen=True, slots=True)
class DeskContext:
    """What one request wants to go wrong.

    Args:
        fault_at: Where, such as `respond.early` or `store.load_thread`.
        fault: What is raised there: a key of `FAULTS`.
    """

    fault_at: str = ""
    fault: str = ""


FAULTS: dict[str, Callable[[], Exception]] = {
    "stream error": lambda: StreamError(ErrorCode.STREAM_ERROR, allow_retry=False),
    "custom error": lambda: CustomStreamError("The desk is closed.", allow_retry=True),
    "plain error": lambda: RuntimeError(SECRET),
    "absent": NotFoundError,
}


def desk_context(state: RequestState) -> DeskContext:
    """Read a request's wishes from its headers."""
    headers = state.connection.headers
    return DeskContext(headers.get("x-fault-at", ""), headers.get("x-fault", ""))


def trip(place: str, context: DeskContext) -> None:
    """Raise what the request has asked for, if this is the place."""
    if context.fault_at == place:
        error = FAULTS[context.fault]()
        raise error


async def no_pause() -> None:
    """Take no time."""


def random_pauses(rng: random.Random, *, longest: float = 0.004) -> Pause:
    """Return a pause that is nothing, one turn of the event loop, or some milliseconds."""

    async def pause() -> None:
        match rng.randrange(4):
            case 0:
                pass
            case 1:
                await asyncio.sleep(0)
            case _:
                await asyncio.sleep(rng.uniform(0, longest))

    return pause


class ProbedStore(DelegatingStore[DeskContext]):
    """A store that takes a moment before and after every call, and fails where a request says so.

    Args:
        inner: The store that does the work.
        pause: Taken twice per call.
    """

    def __init__(self, inner: Store[DeskContext], pause: Pause = no_pause) -> None:
        super().__init__(inner)
        self._pause = pause

    async def _around(self, name: str, context: DeskContext, call: Callable[[], Awaitable[Any]]) -> Any:
        trip(f"store.{name}", context)
        await self._pause()
        result = await call()
        await self._pause()
        return result

    async def load_thread(self, thread_id: str, context: DeskContext) -> ThreadMetadata:
        call = super().load_thread
        result: ThreadMetadata = await self._around("load_thread", context, lambda: call(thread_id, context))
        return result

    async def save_thread(self, thread: ThreadMetadata, context: DeskContext) -> None:
        call = super().save_thread
        await self._around("save_thread", context, lambda: call(thread, context))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: DeskContext
    ) -> Page[ThreadItem]:
        call = super().load_thread_items
        result: Page[ThreadItem] = await self._around(
            "load_thread_items", context, lambda: call(thread_id, after, limit, order, context)
        )
        return result

    async def save_attachment(self, attachment: Attachment, context: DeskContext) -> None:
        call = super().save_attachment
        await self._around("save_attachment", context, lambda: call(attachment, context))

    async def load_attachment(self, attachment_id: str, context: DeskContext) -> Attachment:
        call = super().load_attachment
        result: Attachment = await self._around(
            "load_attachment", context, lambda: call(attachment_id, context)
        )
        return result

    async def delete_attachment(self, attachment_id: str, context: DeskContext) -> None:
        call = super().delete_attachment
        await self._around("delete_attachment", context, lambda: call(attachment_id, context))

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: DeskContext
    ) -> Page[ThreadMetadata]:
        call = super().load_threads
        result: Page[ThreadMetadata] = await self._around(
            "load_threads", context, lambda: call(limit, after, order, context)
        )
        return result

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: DeskContext) -> None:
        call = super().add_thread_item
        await self._around("add_thread_item", context, lambda: call(thread_id, item, context))

    async def save_item(self, thread_id: str, item: ThreadItem, context: DeskContext) -> None:
        call = super().save_item
        await self._around("save_item", context, lambda: call(thread_id, item, context))

    async def load_item(self, thread_id: str, item_id: str, context: DeskContext) -> ThreadItem:
        call = super().load_item
        result: ThreadItem = await self._around(
            "load_item", context, lambda: call(thread_id, item_id, context)
        )
        return result

    async def delete_thread(self, thread_id: str, context: DeskContext) -> None:
        call = super().delete_thread
        await self._around("delete_thread", context, lambda: call(thread_id, context))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: DeskContext) -> None:
        call = super().delete_thread_item
        await self._around("delete_thread_item", context, lambda: call(thread_id, item_id, context))


class DeskFiles(AttachmentStore[DeskContext]):
    """Registers attachments, and knows which it has."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, attachment_id: str) -> None:
        """Register an attachment without an upload."""
        self._known.add(attachment_id)

    async def create_attachment(self, input: AttachmentCreateParams, context: DeskContext) -> Attachment:  # noqa: A002
        """Register an attachment."""
        trip("attachment_store.create_attachment", context)
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        self._known.add(attachment_id)
        return FileAttachment(id=attachment_id, name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: DeskContext) -> None:
        """Forget an attachment."""
        trip("attachment_store.delete_attachment", context)
        if attachment_id not in self._known:
            raise NotFoundError
        self._known.remove(attachment_id)


class Desk(ChatKitServer[DeskContext]):
    """Answers with a fixed list of words, one delta each.

    Args:
        store: Where everything is kept; by default in memory.
        words: The answer.
        pause: Taken before every event of an answer, and by the store.
        endless: Whether an answer stays open behind its last word until `finish` is set.

    Attributes:
        memory: The store behind the pauses.
        produced: The words that have been handed to ChatKit, by thread.
        finish: Lets the endless answers end.
        begun: Set when an answer has got as far as its first word.
    """

    def __init__(
        self,
        *,
        store: Store[DeskContext] | None = None,
        words: Iterable[str] = ("Have ", "you ", "tried ", "again?"),
        pause: Pause = no_pause,
        endless: bool = False,
    ) -> None:
        self.memory = store or MemoryStore()
        self.files = DeskFiles()
        super().__init__(ProbedStore(self.memory, pause), self.files)
        self.words = tuple(words)
        self.produced: dict[str, list[str]] = defaultdict(list)
        self.finish = asyncio.Event()
        self.begun = asyncio.Event()
        self._pause = pause
        self._endless = endless

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: DeskContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Answer a message."""
        return self._answer("respond", thread, self.words_for(input_user_message), context)

    def words_for(self, message: UserMessageItem | None) -> Sequence[str]:
        """Return the answer to a message; the same for all of them."""
        return self.words

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: DeskContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Answer a button."""
        return self._answer("action", thread, self.words, context)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: DeskContext,
    ) -> SyncCustomActionResponse:
        """Answer a button at once."""
        trip("sync_action", context)
        return SyncCustomActionResponse(updated_item=sender)

    async def transcribe(self, audio_input: AudioInput, context: DeskContext) -> TranscriptionResult:
        """Hear what there is to hear."""
        trip("transcribe", context)
        return TranscriptionResult(text=f"{len(audio_input.data)} bytes of noise")

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: DeskContext
    ) -> None:
        """Take praise."""
        trip("add_feedback", context)

    async def _answer(
        self, place: str, thread: ThreadMetadata, words: Sequence[str], context: DeskContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        trip(f"{place}.early", context)
        item = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=_now(),
            content=[],
        )
        await self._pause()
        yield ThreadItemAddedEvent(item=item)
        await self._pause()
        yield _update(item, AssistantMessageContentPartAdded(content_index=0, content=_text("")))
        for word in words:
            await self._pause()
            self.produced[thread.id].append(word)
            yield _update(item, AssistantMessageContentPartTextDelta(content_index=0, delta=word))
            trip(f"{place}.late", context)
        self.begun.set()
        if self._endless:
            await self.finish.wait()
        await self._pause()
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [_text("".join(words))]}))
        trip(f"{place}.end", context)


def _update(
    item: AssistantMessageItem,
    update: AssistantMessageContentPartAdded | AssistantMessageContentPartTextDelta,
) -> ThreadItemUpdatedEvent:
    return ThreadItemUpdatedEvent(item_id=item.id, update=update)


def _text(text: str) -> AssistantMessageContent:
    return AssistantMessageContent(text=text, annotations=[])


def _now() -> datetime:
    return datetime.now()  # noqa: DTZ005 - ChatKit's own times are naive


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the store holds of one thread.

    Args:
        thread_id: The thread.
        said: What the user wrote.
        answers: The text of every stored assistant message.
        markers: How many cancel markers there are.
    """

    thread_id: str
    said: list[str]
    answers: list[str]
    markers: int


async def threads_in(store: Store[DeskContext]) -> list[str]:
    """Return the id of every thread, oldest first."""
    page = await store.load_threads(10**6, None, "asc", DeskContext())
    return [thread.id for thread in page.data]


async def transcripts(store: Store[DeskContext]) -> list[Transcript]:
    """Read every thread back."""
    found: list[Transcript] = []
    for thread_id in await threads_in(store):
        page = await store.load_thread_items(thread_id, None, 10**6, "asc", DeskContext())
        said = [item.content[0].text for item in page.data if isinstance(item, UserMessageItem)]
        answers = [item.content[0].text for item in page.data if isinstance(item, AssistantMessageItem)]
        markers = sum(isinstance(item, SDKHiddenContextItem) for item in page.data)
        found.append(Transcript(thread_id, said, answers, markers))
    return found


async def by_question(store: Store[DeskContext]) -> dict[str, Transcript]:
    """Read every thread back, by the user's first message; a thread without one fails."""
    return {found.said[0]: found for found in await transcripts(store)}


def create(text: str) -> bytes:
    """Return the request that opens a thread."""
    return chatkit_request("threads.create", input=user_message(text))


@dataclass(frozen=True, slots=True)
class Furnished:
    """A thread that has one item of each kind that an operation may name.

    Args:
        thread_id: The thread.
        message_id: A user's message.
        widget_id: A widget.
        form_id: A form that nobody has filled in yet.
        attachment_id: An attachment.
    """

    thread_id: str
    message_id: str
    widget_id: str
    form_id: str
    attachment_id: str


async def furnish(desk: Desk, name: str) -> Furnished:
    """Make a thread of Alice's in which each of the 16 operations works; a pending tool call is its last item.

    Args:
        desk: Whose store it goes to.
        name: Makes the ids.
    """
    ids = Furnished(f"thr_{name}", f"msg_{name}", f"wig_{name}", f"frm_{name}", f"atc_{name}")
    context = DeskContext()
    common: dict[str, Any] = {"thread_id": ids.thread_id, "created_at": _now()}
    question = StructuredInputFreeform(id="q1", question="Which?")
    items: list[ThreadItem] = [
        UserMessageItem(
            id=ids.message_id,
            content=[UserMessageTextContent(text="Hello")],
            attachments=[],
            inference_options=InferenceOptions(),
            **common,
        ),
        WidgetItem.model_validate(
            {"id": ids.widget_id, "widget": {"type": "Card", "children": []}, **common}
        ),
        StructuredInputItem(id=ids.form_id, inputs=[question], **common),
        ClientToolCallItem(id=f"tc_{name}", call_id=f"call_{name}", name="look", arguments={}, **common),
    ]
    await desk.memory.save_thread(
        stamped(ThreadMetadata(id=ids.thread_id, created_at=_now()), _ALICE), context
    )
    for item in items:
        await desk.memory.add_thread_item(ids.thread_id, item, context)
    attachment = FileAttachment(id=ids.attachment_id, name="notes.txt", mime_type="text/plain")
    await desk.memory.save_attachment(stamped(attachment, _ALICE), context)
    desk.files.add(ids.attachment_id)
    return ids
