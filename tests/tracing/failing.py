"""A help desk that fails where a request says so, and the table of how each failure is to be seen.

x-fault-at: where, such as `store.load_thread`       x-fault: what is raised there, a key of `FAULTS`
x-say: the text of the exception, which nobody must see again
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, cast

from agents import Agent, RunConfig, Runner, function_tool
from chatkit.actions import Action
from chatkit.agents import (
    AgentContext,
    stream_agent_response,  # pyright: ignore[reportUnknownVariableType] - a bare generic
)
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import (
    Attachment,
    AudioInput,
    FeedbackKind,
    InferenceOptions,
    Page,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from chatkit_prod import Principal, RequestContext, RequestState
from chatkit_prod.access import Action as AccessAction
from chatkit_prod.access import Owner, OwnerOnly, Resource, stamped
from chatkit_prod.asgi import header_values
from chatkit_prod.errors import AuthenticationError, InsufficientScopeError, UnavailableError
from chatkit_prod.state import Outcome
from chatkit_prod.testing import MemoryStore, chatkit_request, user_message
from chatkit_prod.tracing import tool_errors
from tests.servers import NOW, MemoryAttachmentStore, added, delta, done
from tests.tracing.agents_fixtures import Provider, answer, calls, says

USER = "alice"
ISSUER = "https://idp.localhost"
MAX_BODY_BYTES = 4_000
TOOL = "look_up"

Client = Literal["stays", "goes", "outlives its token", "sees the process end"]
"""What the client does while it is answered."""


def _raised(error: Exception, cause: Exception | None = None, note: str | None = None) -> Exception:
    error.__cause__ = cause
    if note is not None:
        error.add_note(note)
    return error


FAULTS: Mapping[str, Callable[[str], Exception]] = {
    "value": ValueError,
    "connection": ConnectionError,
    "stream": lambda _: StreamError(ErrorCode.STREAM_ERROR),
    "custom": CustomStreamError,
    "group": lambda said: ExceptionGroup(said, [ValueError(said), OSError(5, said)]),
    "chain": lambda said: _raised(LookupError(said), ValueError(said), said),
    "absent": NotFoundError,
    "refused": lambda said: HTTPException(403, said, {"x-why": said}),
    "broken": lambda said: HTTPException(502, said),
}
"""What can be raised, with a text of the request's own."""


def trip(place: str) -> None:
    """Raise what the current request has asked for, if this is the place."""
    state = RequestState.current()
    if state is None:
        return
    headers = state.connection.headers
    if headers.get("x-fault-at") == place:
        error = FAULTS[headers["x-fault"]](headers.get("x-say", ""))
        raise error


def failing_context(state: RequestState) -> RequestContext:
    """Make the usual context, or fail."""
    trip("context")
    return RequestContext.of(state)


class Door:
    """Lets in who names themselves in the header `x-user`, for as many seconds as `x-seconds` says."""

    challenge = "Door"

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        user = next(header_values(connection.scope, b"x-user"), b"").decode()
        match user:
            case "":
                raise AuthenticationError(self.challenge)
            case "nobody-knows":
                raise UnavailableError("the identity provider does not answer")
            case "unscoped":
                raise InsufficientScopeError(["chat"], self.challenge)
            case _:
                pass
        seconds = connection.headers.get("x-seconds")
        expires_at = None if seconds is None else time.time() + float(seconds)
        return Principal(issuer=ISSUER, subject=user, expires_at=expires_at)


class FailingPolicy(OwnerOnly):
    """Lets owners in, or fails."""

    async def allows(self, principal: Principal, action: AccessAction, resource: Resource | None, /) -> bool:
        trip("policy")
        return await super().allows(principal, action, resource)


class FailingStore(MemoryStore):
    """Keeps everything in memory, or fails."""

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        trip("store.load_thread")
        return await super().load_thread(thread_id, context)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        trip("store.save_thread")
        await super().save_thread(thread, context)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        trip("store.load_thread_items")
        return await super().load_thread_items(thread_id, after, limit, order, context)

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Any
    ) -> Page[ThreadMetadata]:
        trip("store.load_threads")
        return await super().load_threads(limit, after, order, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        trip(f"store.add_thread_item.{item.type}")
        await super().add_thread_item(thread_id, item, context)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        trip("store.save_attachment")
        await super().save_attachment(attachment, context)


class FailingDesk(ChatKitServer[RequestContext]):
    """Answers in two words, through an agent where a tool is to fail.

    Attributes:
        begun: Set when an answer that does not end has got as far as it gets.
    """

    def __init__(self) -> None:
        super().__init__(FailingStore(), MemoryAttachmentStore())
        self.begun = asyncio.Event()

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        state = RequestState.current()
        place = None if state is None else state.connection.headers.get("x-fault-at")
        if place is not None and place.startswith("tool"):
            return _agent(thread, context, self.store, place)
        return self._answer("respond", thread, is_endless=place == "endless")

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self._answer("action", thread)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> SyncCustomActionResponse:
        trip("sync_action")
        return SyncCustomActionResponse(updated_item=sender)

    async def transcribe(self, audio_input: AudioInput, context: RequestContext) -> TranscriptionResult:
        trip("transcribe")
        return TranscriptionResult(text="Hello")

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: RequestContext
    ) -> None:
        trip("add_feedback")

    async def _answer(
        self, place: str, thread: ThreadMetadata, *, is_endless: bool = False
    ) -> AsyncIterator[ThreadStreamEvent]:
        trip(f"{place}.early")
        yield added(thread)
        yield delta("Hel")
        trip(f"{place}.late")
        if is_endless:
            self.begun.set()
            await asyncio.Event().wait()
        yield done(thread, "Hello")
        trip(f"{place}.end")


@function_tool(name_override=TOOL, failure_error_function=None)
async def _raises(number: str) -> str:
    trip("tool, and nobody answers for it")
    return number


@function_tool(name_override=TOOL)
async def _answers_for_itself(number: str) -> str:
    trip("tool, and the SDK answers for it")
    return number


@function_tool(name_override=TOOL, failure_error_function=tool_errors())
async def _is_noted(number: str) -> str:
    trip("tool, and it is noted")
    return number


_TOOLS = {
    "tool, and nobody answers for it": _raises,
    "tool, and the SDK answers for it": _answers_for_itself,
    "tool, and it is noted": _is_noted,
}


def _agent(
    thread: ThreadMetadata, context: RequestContext, store: Any, place: str
) -> AsyncIterator[ThreadStreamEvent]:
    provider = Provider(answer(calls(TOOL, '{"number": "1"}')), answer(says("It was sent.")))
    agent: Agent[Any] = Agent(name="Help desk", model=provider.responses(), tools=[_TOOLS[place]])
    run_context = AgentContext[RequestContext](thread=thread, store=store, request_context=context)
    config = RunConfig(trace_include_sensitive_data=True)
    return stream_agent_response(
        run_context, Runner.run_streamed(agent, "hello", context=run_context, run_config=config)
    )


async def furnish(desk: FailingDesk) -> None:
    """Give Alice a thread with a message in it."""
    nobody = cast("RequestContext", None)
    owner = Owner(issuer=ISSUER, subject=USER)
    thread = stamped(ThreadMetadata(id=THREAD, created_at=NOW), owner)
    message = UserMessageItem(
        id="msg_alice",
        thread_id=THREAD,
        created_at=NOW,
        content=[UserMessageTextContent(text="Hello")],
        inference_options=InferenceOptions(),
    )
    await desk.store.save_thread(thread, nobody)
    await desk.store.add_thread_item(THREAD, message, nobody)


# ------------------------------------------------------------------------------------------------ the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, and how its failure is to be seen.

    Args:
        body: That of the request; `{thread}` is a thread of the user's.
        headers: Besides the content type and the user; empty takes one away.
        method: That of the request.
        fault_at: Where it fails.
        fault: Of what.
        client: What the client does meanwhile.
        operation: As telemetry has it; `unknown` where it was refused before it was read.
        status: That of the response; None if there is none.
        outcome: How it ended.
        error_type: What of; None where the span of the request is not marked as failed.
        exception: The type of the exception that is recorded, exactly once; None if there is none.
        recorded_on: The name of the span with which it is recorded.
    """

    body: bytes = chatkit_request("threads.create", input=user_message("Hello"))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    method: str = "POST"
    fault_at: str | None = None
    fault: str | None = None
    client: Client = "stays"
    operation: str = "threads.create"
    status: int | None = 200
    outcome: Outcome = "error"
    error_type: str | None = None
    exception: str | None = None
    recorded_on: str | None = None

    def sent(self, said: str) -> dict[str, str]:
        """Return the headers of the request.

        Args:
            said: The text of the exception.
        """
        faults = {"x-fault-at": self.fault_at or "", "x-fault": self.fault or "", "x-say": said}
        sent = {"content-type": "application/json", "x-user": USER, **faults, **self.headers}
        return {name: value for name, value in sent.items() if value}


THREAD = "thr_alice"
_TURN = chatkit_request("threads.add_user_message", thread_id=THREAD, input=user_message("Hello"))
_ACTION = chatkit_request("threads.custom_action", thread_id=THREAD, action={"type": "open"})
_SYNC = chatkit_request("threads.sync_custom_action", thread_id=THREAD, action={"type": "open"})
_READ = chatkit_request("items.list", thread_id=THREAD)
_GET = chatkit_request("threads.get_by_id", thread_id=THREAD)
_SPOKEN = chatkit_request("input.transcribe", audio_base64="UklGRg==", mime_type="audio/webm")
_LIKED = chatkit_request("items.feedback", thread_id=THREAD, item_ids=["msg_alice"], kind="positive")
_FILE = chatkit_request("attachments.create", name="a.txt", size=1, mime_type="text/plain")
_ABSENT = chatkit_request("threads.add_user_message", thread_id="thr_bob", input=user_message("Hello"))
_RETRY_OF_NOTHING = chatkit_request("threads.retry_after_item", thread_id=THREAD, item_id="msg_nobody")
_RESPOND = "chatkit.respond"


def _failed(error_type: str, recorded_on: str, **options: Any) -> Case:
    return Case(error_type=error_type, exception=error_type, recorded_on=recorded_on, **options)


def _refused(status: int, **options: Any) -> Case:
    known: dict[str, Any] = {"operation": "unknown", **options}
    return Case(status=status, outcome="refused", **known)


CASES: Mapping[str, Case] = {
    "nothing": Case(outcome="completed"),
    # in an answer
    "an exception before its first event": _failed(
        "ValueError", _RESPOND, fault_at="respond.early", fault="value"
    ),
    "an exception in it": _failed("ValueError", _RESPOND, fault_at="respond.late", fault="value"),
    "an exception at its end": _failed("LookupError", _RESPOND, fault_at="respond.end", fault="chain"),
    "an exception group in it": _failed("ExceptionGroup", _RESPOND, fault_at="respond.late", fault="group"),
    "a StreamError in it": _failed("StreamError", _RESPOND, fault_at="respond.late", fault="stream"),
    "a CustomStreamError in it": _failed(
        "CustomStreamError", _RESPOND, fault_at="respond.late", fault="custom"
    ),
    "a StreamError before its first event": _failed(
        "StreamError", _RESPOND, fault_at="respond.early", fault="stream"
    ),
    "an exception in an action": _failed(
        "ValueError",
        "chatkit.action",
        body=_ACTION,
        operation="threads.custom_action",
        fault_at="action.late",
        fault="value",
    ),
    "an absent thing in it": _failed("NotFoundError", _RESPOND, fault_at="respond.late", fault="absent"),
    "a refusal in it": _failed("HTTPException", _RESPOND, fault_at="respond.late", fault="refused"),
    # in a tool
    "a tool, and nobody answers for it": Case(
        fault_at="tool, and nobody answers for it",
        fault="value",
        error_type="UserError",
        exception="ValueError",
        recorded_on=f"execute_tool {TOOL}",
    ),
    "a tool, and the SDK answers for it": Case(
        fault_at="tool, and the SDK answers for it", fault="value", outcome="completed"
    ),
    "a tool, and it is noted": Case(
        fault_at="tool, and it is noted",
        fault="value",
        outcome="completed",
        exception="ValueError",
        recorded_on=f"execute_tool {TOOL}",
    ),
    # in the store
    "the store before the first event": _failed(
        "ConnectionError", "store.save_thread", fault_at="store.save_thread", fault="connection"
    ),
    "the store with the message": _failed(
        "ConnectionError",
        "store.add_thread_item",
        fault_at="store.add_thread_item.user_message",
        fault="connection",
    ),
    "the store after the first event": _failed(
        "ConnectionError",
        "store.add_thread_item",
        fault_at="store.add_thread_item.assistant_message",
        fault="connection",
    ),
    "the store at the gate": _failed(
        "ConnectionError",
        "store.load_thread",
        body=_TURN,
        operation="threads.add_user_message",
        fault_at="store.load_thread",
        fault="connection",
    ),
    "the store without a stream": _failed(
        "ConnectionError",
        "store.load_thread_items",
        body=_READ,
        operation="items.list",
        status=500,
        fault_at="store.load_thread_items",
        fault="connection",
    ),
    "the store at the gate, without a stream": _failed(
        "ConnectionError",
        "store.load_thread",
        body=_GET,
        operation="threads.get_by_id",
        status=500,
        fault_at="store.load_thread",
        fault="connection",
    ),
    "the store with a file": _failed(
        "ConnectionError",
        "store.save_attachment",
        body=_FILE,
        operation="attachments.create",
        status=500,
        fault_at="store.save_attachment",
        fault="connection",
    ),
    # in what the app answers at once
    "an exception without a stream": _failed(
        "ValueError",
        "chatkit.sync_action",
        body=_SYNC,
        operation="threads.sync_custom_action",
        status=500,
        fault_at="sync_action",
        fault="value",
    ),
    "a StreamError without a stream": _failed(
        "StreamError",
        "chatkit.sync_action",
        body=_SYNC,
        operation="threads.sync_custom_action",
        status=500,
        fault_at="sync_action",
        fault="stream",
    ),
    "a CustomStreamError without a stream": _failed(
        "CustomStreamError",
        "chatkit.sync_action",
        body=_SYNC,
        operation="threads.sync_custom_action",
        status=400,
        fault_at="sync_action",
        fault="custom",
    ),
    "an exception in a dictation": _failed(
        "LookupError",
        "chatkit.transcribe",
        body=_SPOKEN,
        operation="input.transcribe",
        status=500,
        fault_at="transcribe",
        fault="chain",
    ),
    "an exception in feedback": _failed(
        "ExceptionGroup",
        "chatkit.add_feedback",
        body=_LIKED,
        operation="items.feedback",
        status=500,
        fault_at="add_feedback",
        fault="group",
    ),
    "a failure of the app's own status": _failed(
        "HTTPException",
        "chatkit.sync_action",
        body=_SYNC,
        operation="threads.sync_custom_action",
        status=500,
        fault_at="sync_action",
        fault="broken",
    ),
    # around the server
    "the context": _failed("ValueError", "threads.create", fault_at="context", fault="value"),
    "the context, without a stream": _failed(
        "ValueError",
        "items.list",
        body=_READ,
        operation="items.list",
        status=500,
        fault_at="context",
        fault="value",
    ),
    # that is no failure of ours
    "a client that goes": Case(client="goes", fault_at="endless", outcome="cancelled"),
    "a token that expires": Case(client="outlives its token", fault_at="endless", outcome="expired"),
    "a process that ends": Case(
        client="sees the process end", fault_at="endless", outcome="cancelled", error_type="shutdown"
    ),
    # refused
    "400": _refused(400, body=b'{"type": "threads.create"}'),
    "400 of what is no JSON": _refused(400, body=b"{"),
    "401": _refused(401, headers={"x-user": ""}),
    "403 of a scope": _refused(403, headers={"x-user": "unscoped"}),
    "403 of a page": _refused(403, headers={"origin": "https://evil.example"}),
    "403 of a policy": _refused(403, operation="threads.create", fault_at="policy", fault="value"),
    "404": _refused(404, body=_ABSENT, operation="threads.add_user_message"),
    "404 of an item": _refused(404, body=_RETRY_OF_NOTHING, operation="threads.retry_after_item"),
    "405": _refused(405, method="GET", body=b""),
    "413": _refused(413, body=b" " * (MAX_BODY_BYTES + 1)),
    "415": _refused(415, headers={"content-type": "text/plain"}),
    "403 of the app": _refused(
        403, body=_SYNC, operation="threads.sync_custom_action", fault_at="sync_action", fault="refused"
    ),
    "403 of the context": _refused(403, operation="threads.create", fault_at="context", fault="refused"),
    "404 of the app": _refused(
        404, body=_LIKED, operation="items.feedback", fault_at="add_feedback", fault="absent"
    ),
    "404 of the store": _refused(
        404, body=_READ, operation="items.list", fault_at="store.load_thread_items", fault="absent"
    ),
    "404 of the store, before a stream": _refused(
        404, operation="threads.create", fault_at="store.save_thread", fault="absent"
    ),
    "503": _failed(
        "UnavailableError", "POST", operation="unknown", status=503, headers={"x-user": "nobody-knows"}
    ),
}
"""Every kind of failure."""
