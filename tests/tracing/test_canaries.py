"""Whatever somebody says, telemetry does not repeat it: a mark in every text there is, and none in what comes out."""

import itertools
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import anyio
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    OutputGuardrail,
    RunConfig,
    Runner,
    function_tool,
    handoff,
)
from agents.tool import ToolErrorFunction
from agents.tracing import get_trace_provider, set_trace_provider
from agents.tracing.provider import DefaultTraceProvider
from chatkit.actions import Action
from chatkit.agents import (
    AgentContext,
    ThreadItemConverter,
    stream_agent_response,  # pyright: ignore[reportUnknownVariableType] - a bare generic
)
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    ClientToolCallItem,
    FeedbackKind,
    NonStreamingReq,
    StreamingReq,
    StructuredInputItem,
    SyncCustomActionResponse,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
    WorkflowItem,
)
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, SecretStr, TypeAdapter
from starlette.exceptions import HTTPException

from chatkit_prod import Principal, RequestContext, RequestState, harden
from chatkit_prod.access import Action as AccessAction
from chatkit_prod.access import Owner, OwnerOnly, Resource, stamped
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.errors import ForbiddenError
from chatkit_prod.operation import operation_names
from chatkit_prod.testing import LocalIdentityProvider, MemoryStore, chatkit_request, user_message
from chatkit_prod.tracing import AgentsBridge, ClientEventsEndpoint, TracingMiddleware, tool_errors
from chatkit_prod.tracing.client_event import FIELDS
from tests.servers import Wire, http_scope
from tests.tracing.agents_fixtures import Answer, Provider, answer, calls, says
from tests.tracing.canaries import ENCODED, EXEMPT, WORDS, Canaries, UncoveredError, Walk, members_of
from tests.tracing.telemetry import Telemetry, captured

pytestmark = pytest.mark.anyio

LIMIT = 20.0
SWITCH = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
USER = "alice"
THREAD, LOCKED, TOOL_THREAD = "thr_alice", "thr_locked", "thr_tool"
MESSAGE, FORM, WIDGET, FILE = "msg_alice", "frm_alice", "wig_alice", "atc_alice"

_event: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)
_item: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_attachment: TypeAdapter[Attachment] = TypeAdapter(Attachment)

_ITEM_OF_OPERATION = {
    "threads.custom_action": WIDGET,
    "threads.sync_custom_action": WIDGET,
    "threads.add_structured_input": FORM,
}


class CanaryError(Exception):
    """What the app raises: its text is a canary, and so is that of its cause, of its context and of its notes."""

    @classmethod
    def made(cls, canaries: Canaries, place: str) -> "CanaryError":
        error = cls(canaries.text(f"{place}: the message"), {"why": canaries.text(f"{place}: an argument")})
        error.__cause__ = ValueError(canaries.text(f"{place}: the cause"))
        error.__context__ = KeyError(canaries.text(f"{place}: the context"))
        error.add_note(canaries.text(f"{place}: a note"))
        return error


class UnspeakableError(Exception):
    """Cannot even be written down."""

    def __str__(self) -> str:
        raise RuntimeError(*self.args)


class Files(AttachmentStore[RequestContext]):
    """Registers what it is told to."""

    def __init__(self, server: "Aviary") -> None:
        self._server = server

    async def create_attachment(self, input: AttachmentCreateParams, context: RequestContext) -> Attachment:  # noqa: A002
        self._server.trip("files.create")
        return self._server.attachment

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        self._server.trip("files.delete")


class Shelf(MemoryStore):
    """Fails where it is told to."""

    def __init__(self, server: "Aviary") -> None:
        super().__init__()
        self._server = server

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith(("load_", "save_", "add_", "delete_")):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            self._server.trip(f"store.{name}")
            return await found(*args, **options)

        return call


class Aviary(ChatKitServer[RequestContext]):
    """Answers with what a test gives it, and raises what it is told to.

    Attributes:
        events: What the next answers are.
        answer_with: Makes the next answers, if not those.
        attachment: What is registered next.
        updated: What an action without a stream answers.
        heard: What a dictation is.
        fails_at: Where the next failure is.
        error: What is raised there.
        shelf: The store behind all others.
    """

    def __init__(self) -> None:
        self.shelf = Shelf(self)
        super().__init__(self.shelf, Files(self))
        self.events: list[ThreadStreamEvent] = []
        self.answer_with: Callable[[ThreadMetadata, RequestContext], AsyncIterator[ThreadStreamEvent]] = (
            self._events
        )
        self.attachment: Attachment = _attachment.validate_python(
            {"type": "file", "id": FILE, "name": "a.txt", "mime_type": "text/plain"}
        )
        self.updated: ThreadItem | None = None
        self.heard = ""
        self.fails_at = ""
        self.error: BaseException = CanaryError()

    def trip(self, place: str) -> None:
        if self.fails_at == place:
            raise self.error

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.answer_with(thread, context)

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.answer_with(thread, context)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> SyncCustomActionResponse:
        self.trip("sync_action")
        return SyncCustomActionResponse(updated_item=self.updated)

    async def transcribe(self, audio_input: AudioInput, context: RequestContext) -> TranscriptionResult:
        self.trip("transcribe")
        return TranscriptionResult(text=self.heard)

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: RequestContext
    ) -> None:
        self.trip("add_feedback")

    async def _events(
        self, thread: ThreadMetadata, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        self.trip("respond.early")
        for event in self.events:
            yield event
        self.trip("respond.late")

    def make_context(self, state: RequestState) -> RequestContext:
        self.trip("context")
        return RequestContext.of(state)


class CanaryPolicy:
    """Lets owners in, and fails where the server is told to."""

    def __init__(self, server: Aviary) -> None:
        self._server = server
        self._owners = OwnerOnly()

    async def allows(self, principal: Principal, action: AccessAction, resource: Resource | None, /) -> bool:
        self._server.trip("policy")
        return await self._owners.allows(principal, action, resource)


class World:
    """A hardened server, whose user has canaries in all that a browser sends along.

    Attributes:
        canaries: All that were made.
        server: The server.
        answers: The bodies of all answers so far.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self.canaries = Canaries()
        self.server = Aviary()
        self.answers: list[str] = []
        self._new_id = (f"new_{number}" for number in itertools.count())
        self._idp = LocalIdentityProvider(algorithm="Ed25519")
        self.auth = JWTBearer(
            issuer=self._idp.issuer, audience=self._idp.audience, jwks=self._idp.jwks, leeway=0
        )
        self.app = harden(
            self.server,
            auth=self.auth,
            access=CanaryPolicy(self.server),
            context_factory=self.server.make_context,
            tracer_provider=telemetry.tracers,
            meter_provider=telemetry.meters,
            logger_provider=telemetry.loggers,
            allowed_origins=["https://page.example.com"],
            locales=["en", "de"],
        )

    def walk(self, *, item_id: str | None = None, left_out: Iterable[str] = ()) -> Walk:
        """Return a walk whose ids are those of this world."""
        ids: dict[str, Any] = {
            name: (
                (TOOL_THREAD if name == "ThreadAddClientToolOutputParams.thread_id" else THREAD)
                if name.endswith(".thread_id")
                else item_id or MESSAGE
                if name.endswith(".item_id")
                else lambda: next(self._new_id)
            )
            for name in EXEMPT
        }
        ids |= {
            "AttachmentBase.id": FILE,
            "AttachmentDeleteParams.attachment_id": FILE,
            "ItemFeedbackParams.item_ids": [MESSAGE],
            "StructuredInputBase.id": "q1",
            "StructuredInputSubmission.answers": ["q1"],
            "UserMessageInput.attachments": [FILE],
        }
        return Walk(self.canaries, ids, left_out=left_out)

    async def furnish(self) -> None:
        """Put everything into the store that a request may name, with a canary in each of its texts."""
        store: Any = self.server.shelf
        owner = Owner(issuer=self._idp.issuer, subject=USER)
        threads = dict(zip((THREAD, LOCKED, "thr_closed"), self.walk().values(ThreadMetadata), strict=True))
        for thread_id, values in {**threads, TOOL_THREAD: threads[THREAD]}.items():
            thread = ThreadMetadata.model_validate({**values, "id": thread_id})
            await store.save_thread(stamped(thread, owner), None)
        for item in self.items():
            await store.add_thread_item(THREAD, item, None)
        for found, item_id in ((UserMessageItem, MESSAGE), (StructuredInputItem, FORM), (WidgetItem, WIDGET)):
            await store.save_item(THREAD, self.item(found, item_id), None)
        call = self.item(ClientToolCallItem, "tc_alice").model_copy(update={"thread_id": TOOL_THREAD})
        await store.add_thread_item(TOOL_THREAD, call, None)
        await store.save_attachment(stamped(self.attachments()[0], owner), None)

    def items(self) -> list[ThreadItem]:
        """Return items of every kind, with every kind of content."""
        return [_item.validate_python(values) for values in self.walk().values(ThreadItem)]

    def item(self, kind: type[Any], item_id: str) -> Any:
        """Return an item of one kind."""
        return kind.model_validate({**self.walk().values(kind)[0], "id": item_id})

    def attachments(self) -> list[Attachment]:
        """Return attachments of every kind."""
        found = self.walk(left_out=["AttachmentBase.thread_id"]).values(Attachment)
        return [_attachment.validate_python(values) for values in found]

    def headers(self, **more: str) -> list[tuple[bytes, bytes]]:
        """Return the headers of a request, with a canary in each that is not ours to read.

        Args:
            more: Besides these, underscores standing for hyphens; empty takes one away.
        """
        text, word = self.canaries.text, self.canaries.word
        sent = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.token()}",
            "cookie": f"session={word('a cookie')}; {word('the name of a cookie')}=1",
            "user-agent": text("user-agent"),
            "referer": f"https://page.example.com/{word('referer')}",
            "baggage": f"user={word('baggage')},{word('a key of baggage')}=1",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": f"vendor={word('tracestate')}",
            "chatkit-session": word("chatkit-session"),
            "x-request-id": word("x-request-id"),
            "x-forwarded-for": word("x-forwarded-for"),
            "x-forwarded-host": word("x-forwarded-host"),
            "accept-language": f"{word('accept-language')}, de;q=0.5",
            "x-app": text("a header of the app's"),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return [(name.encode(), value.encode()) for name, value in sent.items() if value]

    def token(self, **options: Any) -> str:
        """Return a token with a canary in each claim that is not the user's id, watched as a whole."""
        text, word = self.canaries.text, self.canaries.word
        claims: dict[str, Any] = {
            "name": text("claim name"),
            "email": f"{word('claim email')}@example.com",
            "preferred_username": word("claim preferred_username"),
            "address": {"street": text("claim address"), "lines": [text("claim address lines")]},
            "jti": word("claim jti"),
            "client_id": word("claim client_id"),
            "scopes": [word("a scope")],
        }
        token = self._idp.token(USER, **{**claims, **options})
        for part in token.split("."):
            self.canaries.watch(part, "a part of the token")
        return token

    async def ask(self, body: bytes, *, method: str = "POST", query: str = "", **headers: str) -> Wire:
        """Send a request to the end of its answer.

        Args:
            body: The body.
            method: The method.
            query: The query; another canary if empty.
            headers: See `headers`.
        """
        wire = Wire(body)
        await self.send(wire, method=method, query=query, **headers)
        return wire

    async def send(self, wire: Wire, *, method: str = "POST", query: str = "", **headers: str) -> None:
        """Send the request of a wire."""
        scope = http_scope(method=method, headers=self.headers(**headers))
        scope["query_string"] = (query or f"q={self.canaries.word('the query')}").encode()
        with anyio.fail_after(LIMIT):
            await wire.request(self.app, scope)
        self.answers.append(wire.body.decode())

    def stored(self) -> str:
        """Return all that is in the store."""
        rows = vars(self.server.shelf)
        return repr([rows[name] for name in ("_threads", "_items", "_attachments")])

    def check(self) -> None:
        """Fail if a canary is in anything that leaves."""
        assert len(self.canaries) > 10
        said = {**self.telemetry.exported(), "our records": self.telemetry.own_records()}
        assert all(said.values()), "there is something to look at"
        leaks = {where: self.canaries.found_in(text) for where, text in said.items()}
        assert {where: places for where, places in leaks.items() if places} == {}


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    monkeypatch.setenv(
        SWITCH, "logs/dup"
    )  # exceptions as events of spans and as records: all that there can be
    before = get_trace_provider()
    set_trace_provider(DefaultTraceProvider())
    try:
        with captured() as found:
            AgentsBridge(tracer_provider=found.tracers, exclusive=True).install()
            yield found
    finally:
        set_trace_provider(before)


@pytest.fixture
async def world(telemetry: Telemetry) -> World:
    found = World(telemetry)
    await found.furnish()
    return found


def create(text: str = "Hello") -> bytes:
    return chatkit_request("threads.create", input=user_message(text))


# ------------------------------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    "request_type", [*get_args(StreamingReq), *get_args(NonStreamingReq)], ids=lambda found: found.__name__
)
async def test_nothing_of_a_request_is_repeated(world: World, request_type: type[BaseModel]) -> None:
    name: str = request_type.model_fields["type"].default
    world.server.updated = world.items()[0]
    world.server.heard = world.canaries.text("what was heard")
    for body in world.walk(item_id=_ITEM_OF_OPERATION.get(name), left_out=WORDS).values(request_type):
        await world.furnish()
        wire = await world.ask(json.dumps(body).encode())
        assert wire.status == 200, wire.body
        assert "error" not in (wire.types if wire.headers["content-type"].startswith("text/event") else ())
    assert {record["operation"] for record in world.telemetry.access()} == {name}
    world.check()


def test_that_is_each_of_the_operations() -> None:
    types = {found.model_fields["type"].default for found in members_of(StreamingReq | NonStreamingReq)}
    assert types == operation_names()
    assert len(types) == 16


async def test_nothing_of_a_cursor_is_repeated(world: World) -> None:
    walk = world.walk()
    found = [body for body in walk.values(NonStreamingReq) if "after" in body["params"]]
    assert len(found) == len(WORDS)
    assert walk.met >= WORDS
    for body in found:
        assert (await world.ask(json.dumps(body).encode())).status == 404
    world.check()


@pytest.mark.parametrize(
    "body",
    [
        "{canary}",
        '{{"type": "{canary}"}}',
        '{{"{canary}": 1, "type": "threads.create", "params": {{"{canary}": "{canary}"}}}}',
        '{{"type": "threads.get_by_id", "params": {{"thread_id": ["{canary}"]}}}}',
        '{{"type": "threads.get_by_id", "params": {{"thread_id": "{canary}"}}}}',
        '{{"type": "items.feedback", "params": {{"thread_id": "thr_alice", "item_ids": ["{canary}"], "kind": "{canary}"}}}}',
        '{{"type": "attachments.create", "params": {{"name": "{canary}/..", "size": 1, "mime_type": "text/plain"}}}}',
        '{{"type": "input.transcribe", "params": {{"audio_base64": "{canary}", "mime_type": "{canary}"}}}}',
        '{{"type": "threads.list", "params": {{"limit": "{canary}", "order": "{canary}"}}}}',
        '{{"type": "threads.add_structured_input", "params": {{"thread_id": "thr_alice", "item_id": "frm_alice", "input": {{"answers": {{"{canary}": {{}}}}}}}}}}',
        "[" * 100 + '"{canary}"' + "]" * 100,
    ],
)
async def test_nothing_of_a_request_that_is_refused_is_repeated(world: World, body: str) -> None:
    wire = await world.ask(body.format(canary=world.canaries.text("the body")).encode())
    assert wire.status == 400, wire.body
    world.check()


async def test_nothing_of_a_message_to_a_locked_thread_is_repeated(world: World) -> None:
    for thread_id in (LOCKED, "thr_closed"):
        message = user_message(world.canaries.text("a message"))
        body = chatkit_request("threads.add_user_message", thread_id=thread_id, input=message)
        wire = await world.ask(body)
        assert wire.types == ["error"]
        assert world.canaries.found_in(wire.body.decode()) == ["ThreadMetadata.status.reason"]
    world.check()


async def test_nothing_that_stands_around_a_request_is_repeated(world: World) -> None:
    text, word = world.canaries.text, world.canaries.word
    requests: list[tuple[int, dict[str, str]]] = [
        (415, {"content_type": text("content-type")}),
        (401, {"authorization": f"Bearer {word('a bearer token')}"}),
        (401, {"authorization": f"Basic {world.canaries.base64('the credentials')}"}),
        (401, {"authorization": f"{word('the scheme')} {word('the credentials')}"}),
        (401, {"authorization": f"Bearer {world.token(iss=text('iss'))}"}),
        (401, {"authorization": f"Bearer {world.token(aud=text('aud'))}"}),
        (401, {"authorization": f"Bearer {world.token(exp=text('exp'))}"}),
        (401, {"authorization": f"Bearer {world.token(header={'kid': text('kid')})}"}),
        (401, {"authorization": f"Bearer {world.token(header={'typ': text('typ'), 'x': text('x')})}"}),
        (401, {"authorization": f"Bearer {world.token(expires_in=-60)}"}),
        (401, {"authorization": f"Bearer {world.token()}{word('a signature')}"}),
        (403, {"origin": f"https://{word('origin')}.example.com"}),
        (403, {"origin": text("origin")}),
        (200, {"host": f"{word('host')}.example.com", "origin": "https://page.example.com"}),
        (200, {"chatkit_session": "0" * 31 + "g"}),
        (200, {"traceparent": word("traceparent"), "accept": text("accept")}),
    ]
    for status, headers in requests:
        wire = await world.ask(create(), query=f"token={word('query')}&{word('key')}", **headers)
        assert wire.status == status, headers
    assert (await world.ask(b"", method=word("the method").upper())).status == 405
    world.check()


async def test_a_tracestate_is_handed_on_with_the_context_and_stands_nowhere_else(world: World) -> None:
    await world.ask(create())
    world.check()
    contexts = repr([span.context for span in world.telemetry.spans])
    assert world.canaries.found_in(contexts) == ["tracestate"]


# ------------------------------------------------------------------------------------------------ what is answered


@pytest.mark.parametrize("event_type", members_of(ThreadStreamEvent), ids=lambda found: found.__name__)
async def test_nothing_of_an_event_is_repeated(world: World, event_type: type[BaseModel]) -> None:
    seen = world.canaries.places()
    for values in world.walk(item_id="new_item").values(event_type):
        event = _event.validate_python(_in_this_thread(values))
        world.server.events = [*_before(event, world), event]
        wire = await world.ask(
            chatkit_request("threads.add_user_message", thread_id=THREAD, input=user_message("Hello"))
        )
        assert wire.status == 200
        await world.ask(
            chatkit_request(
                "threads.custom_action", thread_id=THREAD, item_id=WIDGET, action={"type": "open"}
            )
        )
    made = {place for place in world.canaries.places() - seen if place.startswith(event_type.__name__)}
    arrived = world.canaries.found_in("".join(world.answers) + world.stored())
    assert {place for place in made - {*arrived} if not _is_unseen(place)} == set()
    world.check()


def _in_this_thread(values: Any) -> Any:
    """Return an event whose thread, if it has one, is that of the request."""
    return {**values, "thread": {**values["thread"], "id": THREAD}} if "thread" in values else values


def _before(event: ThreadStreamEvent, world: World) -> list[ThreadStreamEvent]:
    """Return what has to come first: what is updated must be there."""
    if event.type != "thread.item.updated":
        return []
    kind: Any = WorkflowItem if event.update.type.startswith("workflow") else AssistantMessageItem
    item = world.item(kind, "new_item")
    return [_event.validate_python({"type": "thread.item.added", "item": item.model_dump()})]


def _is_unseen(place: str) -> bool:
    """Tell whether ChatKit shows a field to nobody: metadata, and what is hidden."""
    return bool(re.search(r"\.metadata\b|\.(item|data\[\])\.content( |$)", place))


async def test_nothing_of_an_answer_that_is_cut_off_is_repeated(world: World) -> None:
    walk = world.walk(item_id="new_item")
    updates = [_event.validate_python(values) for values in walk.values(ThreadStreamEvent)]
    for event in (found for found in updates if found.type == "thread.item.updated"):
        begun, wire = anyio.Event(), Wire(create(world.canaries.text("the message")))

        async def cut_off(
            thread: ThreadMetadata, context: RequestContext, *, event: Any = event, begun: Any = begun
        ) -> AsyncIterator[ThreadStreamEvent]:
            for found in (*_before(event, world), event):
                if found.type == "thread.item.added":
                    found.item.thread_id = thread.id
                yield found
            begun.set()
            await anyio.sleep_forever()

        world.server.answer_with = cut_off
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.send, wire)
            await begun.wait()
            wire.gone.set()
    assert {record["outcome"] for record in world.telemetry.access()} == {"cancelled"}
    world.check()


async def test_nothing_that_is_answered_without_a_stream_is_repeated(world: World) -> None:
    heard = world.walk().values(TranscriptionResult)[0]
    world.server.heard = heard["text"]
    await world.ask(chatkit_request("input.transcribe", audio_base64="UklGRg==", mime_type="audio/webm"))
    for values in world.walk().values(SyncCustomActionResponse):
        world.server.updated = SyncCustomActionResponse.model_validate(values).updated_item
        action = {"type": "open"}
        await world.ask(
            chatkit_request("threads.sync_custom_action", thread_id=THREAD, item_id=WIDGET, action=action)
        )
    for number, attachment in enumerate(world.attachments()):
        world.server.attachment = attachment.model_copy(update={"id": f"atc_{number}"})
        await world.ask(chatkit_request("attachments.create", name="a.txt", size=1, mime_type="text/plain"))
        message = user_message("Hello", attachments=[f"atc_{number}"])
        await world.ask(chatkit_request("threads.add_user_message", thread_id=THREAD, input=message))
    for name in ("items.list", "threads.get_by_id"):
        await world.ask(chatkit_request(name, thread_id=THREAD))
    await world.ask(chatkit_request("threads.list"))
    assert {record["outcome"] for record in world.telemetry.access()} == {"completed"}
    shown = world.canaries.found_in("".join(world.answers))
    assert {"TranscriptionResult.text", "ThreadMetadata.title", "FileAttachment.name"} <= {*shown}
    world.check()


# ------------------------------------------------------------------------------------------------ what is raised


_TURN = chatkit_request("threads.add_user_message", thread_id=THREAD, input=user_message("Hello"))
_PLACES: Mapping[str, bytes] = {
    "respond.early": _TURN,
    "respond.late": _TURN,
    "context": _TURN,
    "policy": _TURN,
    "store.load_thread": _TURN,
    "store.add_thread_item": _TURN,
    "store.save_item": chatkit_request(
        "threads.add_client_tool_output", thread_id=TOOL_THREAD, result={"text": "Hello"}
    ),
    "store.load_item": chatkit_request(
        "threads.custom_action", thread_id=THREAD, item_id=WIDGET, action={"type": "open"}
    ),
    "store.load_thread_items": chatkit_request("items.list", thread_id=THREAD),
    "store.load_threads": chatkit_request("threads.list"),
    "store.save_thread": chatkit_request("threads.update", thread_id=THREAD, title="Hello"),
    "store.delete_thread": chatkit_request("threads.delete", thread_id=THREAD),
    "store.delete_thread_item": chatkit_request(
        "threads.retry_after_item", thread_id=THREAD, item_id=MESSAGE
    ),
    "store.load_attachment": chatkit_request("attachments.delete", attachment_id=FILE),
    "store.delete_attachment": chatkit_request("attachments.delete", attachment_id=FILE),
    "store.save_attachment": chatkit_request(
        "attachments.create", name="a.txt", size=1, mime_type="text/plain"
    ),
    "files.create": chatkit_request("attachments.create", name="a.txt", size=1, mime_type="text/plain"),
    "files.delete": chatkit_request("attachments.delete", attachment_id=FILE),
    "sync_action": chatkit_request("threads.sync_custom_action", thread_id=THREAD, action={"type": "open"}),
    "transcribe": chatkit_request("input.transcribe", audio_base64="UklGRg==", mime_type="audio/webm"),
    "add_feedback": chatkit_request("items.feedback", thread_id=THREAD, item_ids=[MESSAGE], kind="positive"),
}


class Strict(BaseModel):
    number: int


def _of_validation(text: str) -> Exception:
    with pytest.raises(ValueError, match="number") as caught:
        Strict.model_validate({"number": text})
    return caught.value


_ERRORS: Mapping[str, Callable[[Canaries], BaseException]] = {
    "one of the app's": lambda canaries: CanaryError.made(canaries, "an error"),
    "ValueError": lambda canaries: ValueError(canaries.text("ValueError")),
    "KeyError": lambda canaries: KeyError(canaries.text("KeyError")),
    "OSError": lambda canaries: OSError(5, canaries.text("OSError"), canaries.text("a file name")),
    "ValidationError": lambda canaries: _of_validation(canaries.text("ValidationError")),
    "UnicodeDecodeError": lambda canaries: UnicodeDecodeError(
        "utf-8", canaries.text("bytes").encode(), 0, 1, canaries.text("a reason")
    ),
    "ExceptionGroup": lambda canaries: ExceptionGroup(
        canaries.text("ExceptionGroup"),
        [CanaryError.made(canaries, "a part"), ExceptionGroup(canaries.text("a group in it"), [OSError()])],
    ),
    "StreamError": lambda canaries: StreamError(ErrorCode.STREAM_ERROR),
    "StreamError with a code of its own": lambda canaries: StreamError(_code(canaries.text("a code"))),
    "CustomStreamError": lambda canaries: CustomStreamError(canaries.text("CustomStreamError")),
    "HTTPException": lambda canaries: HTTPException(
        409, canaries.text("a detail"), {"x-why": canaries.text("a header of it")}
    ),
    "HTTPException of a failure": lambda canaries: HTTPException(502, canaries.text("a detail")),
    "one that cannot be written down": lambda canaries: UnspeakableError(canaries.text("unspeakable")),
}


def _code(text: str) -> Any:
    return text


@pytest.mark.parametrize("place", _PLACES)
async def test_nothing_of_an_exception_is_repeated(world: World, place: str) -> None:
    for make in _ERRORS.values():
        world.server.fails_at, world.server.error = place, make(world.canaries)
        wire = await world.ask(_PLACES[place])
        assert wire.status != 200 or "error" in wire.types
    world.check()


async def test_what_a_policy_says_is_for_the_audit_record_and_goes_nowhere_else(world: World) -> None:
    """Its reason is the app's own text, written for whoever audits."""
    reason = world.canaries.text("the reason of a policy")
    world.server.fails_at, world.server.error = "policy", ForbiddenError(reason)
    assert (await world.ask(_TURN)).status in {403, 404}
    assert world.canaries.found_in(repr(world.telemetry.spans) + world.telemetry.exported()["metrics"]) == []
    audited = [found for found in world.telemetry.written if world.canaries.found_in(found.text)]
    assert {found.logger for found in audited} == {"chatkit_prod.audit"}


# ------------------------------------------------------------------------------------------------ what agents do


AgentOf = Callable[[Canaries], tuple[Agent[Any], tuple[Answer, ...]]]


def _agent(canaries: Canaries, *answers: Answer, **options: Any) -> tuple[Agent[Any], tuple[Answer, ...]]:
    options = {"instructions": canaries.text("the instructions"), **options}
    return Agent(name="Help desk", **options), answers


def _call(canaries: Canaries, name: str = "look_up") -> Any:
    return answer(calls(name, json.dumps({"number": canaries.text("an argument of a tool")})))


def _said(canaries: Canaries) -> Any:
    return answer(says(canaries.text("what a model says")))


def _tool(canaries: Canaries, *, error: Exception | None = None, **options: Any) -> Any:
    async def look_up(number: str) -> str:
        if error is not None:
            raise error
        return canaries.text("the result of a tool")

    return function_tool(look_up, description_override=canaries.text("the description of a tool"), **options)


def _failing(then: ToolErrorFunction | Literal["default"] | None) -> AgentOf:
    def make(canaries: Canaries) -> tuple[Agent[Any], tuple[Answer, ...]]:
        options = {} if then == "default" else {"failure_error_function": then}
        tool = _tool(canaries, error=CanaryError.made(canaries, "an error of a tool"), **options)
        return _agent(canaries, _call(canaries), _said(canaries), tools=[tool])

    return make


def _guarded(canaries: Canaries, *, on: str, trips: bool) -> tuple[Agent[Any], tuple[Answer, ...]]:
    async def guard(*_: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput({"why": canaries.text("what a guardrail says")}, trips)

    kind: Any = InputGuardrail if on == "input" else OutputGuardrail
    options = {f"{on}_guardrails": [kind(guard, name="a guardrail")]}
    return _agent(canaries, _said(canaries), **options)


def _handing_over(canaries: Canaries) -> tuple[Agent[Any], tuple[Answer, ...]]:
    second: Agent[Any] = Agent(name="Billing", instructions=canaries.text("other instructions"))
    return _agent(
        canaries,
        answer(calls("transfer_to_billing", json.dumps({"why": canaries.text("why it is handed over")}))),
        _said(canaries),
        handoffs=[handoff(second)],
    )


_AGENTS: Mapping[str, AgentOf] = {
    "says something": lambda canaries: _agent(canaries, _said(canaries)),
    "uses a tool": lambda canaries: _agent(
        canaries, _call(canaries), _said(canaries), tools=[_tool(canaries)]
    ),
    "has a tool that raises": _failing(None),
    "has a tool that fails": _failing("default"),
    "has a tool whose failure is noted": _failing(tool_errors()),
    "makes up a tool": lambda canaries: _agent(
        canaries, _call(canaries, canaries.text("the name of a tool"))
    ),
    "gives a tool no JSON": lambda canaries: _agent(
        canaries,
        answer(calls("look_up", canaries.text("what is no JSON"))),
        _said(canaries),
        tools=[_tool(canaries)],
    ),
    "is told to stop at the input": lambda canaries: _guarded(canaries, on="input", trips=True),
    "is let go on at the input": lambda canaries: _guarded(canaries, on="input", trips=False),
    "is told to stop at the output": lambda canaries: _guarded(canaries, on="output", trips=True),
    "hands over": _handing_over,
    "has a model that fails": lambda canaries: _agent(canaries, 500),
    "has a model that refuses": lambda canaries: _agent(canaries, 401),
    "has a model that names itself": lambda canaries: _agent(
        canaries,
        answer(
            says(canaries.text("what a model says")),
            model=canaries.text("the model"),
            id=canaries.text("the id of a response"),
            metadata={canaries.text("a key of metadata"): canaries.text("metadata")},
        ),
    ),
}


@pytest.mark.parametrize("make", _AGENTS.values(), ids=_AGENTS)
async def test_nothing_of_what_an_agent_does_is_repeated(world: World, make: AgentOf) -> None:
    canaries = world.canaries
    agent, answers = make(canaries)
    agent.model = Provider(*answers).responses()
    config = RunConfig(
        workflow_name=canaries.text("the name of a workflow"),
        group_id=canaries.text("a group"),
        trace_metadata={canaries.text("a key of a trace"): canaries.text("metadata of a trace")},
    )

    def run(thread: ThreadMetadata, context: RequestContext) -> AsyncIterator[ThreadStreamEvent]:
        run_context = AgentContext[RequestContext](
            thread=thread, store=world.server.store, request_context=context
        )
        return _streamed(agent, run_context, config, canaries.text("the input of an agent"))

    world.server.answer_with = run
    wire = await world.ask(create(canaries.text("a message")))
    assert wire.status == 200
    assert any(span.name.startswith("invoke_agent") for span in world.telemetry.spans)
    world.check()


async def _streamed(
    agent: Agent[Any], context: AgentContext[RequestContext], config: RunConfig, text: str
) -> AsyncIterator[ThreadStreamEvent]:
    items = await context.store.load_thread_items(context.thread.id, None, 10, "asc", context.request_context)
    said: Any = [*await ThreadItemConverter().to_agent_input(items.data), {"role": "user", "content": text}]
    result = Runner.run_streamed(agent, said, context=context, run_config=config)
    async for event in stream_agent_response(context, result):
        yield event


# ------------------------------------------------------------------------------------------------ what a page tells


async def test_nothing_but_what_is_allowed_is_taken_from_a_page(world: World) -> None:
    text = world.canaries.text
    telemetry = world.telemetry
    app = TracingMiddleware(
        AuthMiddleware(
            ClientEventsEndpoint(logger_provider=telemetry.loggers, meter_provider=telemetry.meters),
            authenticator=world.auth,
        ),
        tracer_provider=telemetry.tracers,
        meter_provider=telemetry.meters,
        logger_provider=telemetry.loggers,
    )
    data = {name: text(f"a client event's {name}") for name in FIELDS}
    data |= {"message": text("a client event's message"), "stack": text("a client event's stack")}
    events: list[Any] = [
        {"name": "chatkit.error", "data": data, "message": text("a message beside"), "time": text("time")},
        {"name": "chatkit.log", "data": {text("a key"): {text("a key inside"): [text("a value inside")]}}},
        {"name": "chatkit.log", "data": {"error": {"message": text("an error of many words")}}},
        {"name": "chatkit.log", "data": text("data that is none"), "traceparent": text("traceparent")},
        {"name": text("a name"), "data": {}},
        text("an event that is none"),
    ]
    bodies: list[Any] = [
        {"session": "0" * 32, "events": events, "page": text("what nobody asked for"), "lost": text("lost")},
        {"session": text("a session"), "events": events},
        {"session": "0" * 32, "events": text("events that are none")},
        text("a batch that is none"),
    ]
    statuses: list[int] = []
    for body in bodies:
        wire = Wire(json.dumps(body).encode())
        await wire.request(app, http_scope(headers=world.headers()))
        statuses.append(wire.status)
    assert statuses == [204, 400, 400, 400]
    assert telemetry.total("chatkit.client.events") == len(events)
    world.check()


# ------------------------------------------------------------------------------------------------ the walk itself


class Unheard(BaseModel):
    name: str


def test_a_text_that_chatkit_adds_to_a_type_is_a_canary_at_once() -> None:
    class Message(UserMessageItem):
        mood: str

    canaries = Canaries()
    walk = Walk(canaries, dict.fromkeys(EXEMPT, "an_id"))
    (found,) = walk.values(Message)
    assert canaries.found_in(found["mood"]) == ["Message.mood"]


@pytest.mark.parametrize("hint", [bytes, SecretStr, complex, tuple[str, str], set[str], object])
def test_a_field_of_a_type_that_nobody_has_thought_of_fails_the_walk(hint: Any) -> None:
    message = type("Message", (UserMessageItem,), {"__annotations__": {"mood": hint}, "__module__": __name__})
    with pytest.raises(UncoveredError, match=r"Message\.mood"):
        Walk(Canaries(), dict.fromkeys(EXEMPT, "an_id")).values(message)


def test_a_text_of_a_form_that_nobody_has_thought_of_fails_the_walk() -> None:
    from typing import Annotated  # noqa: PLC0415

    from pydantic import Field, StringConstraints  # noqa: PLC0415

    class Coloured(BaseModel):
        colour: Annotated[str, StringConstraints(pattern="^#[0-9a-f]{6}$")]

    class Short(BaseModel):
        name: Annotated[str, Field(max_length=3)]

    for model in (Coloured, Short):
        with pytest.raises(UncoveredError):
            Walk(Canaries(), {}).values(model)


def test_an_id_that_is_new_is_no_id_until_somebody_says_so() -> None:
    class ThreadItemMovedEvent(BaseModel):
        item_id: str

    canaries = Canaries()
    (found,) = Walk(canaries, {}).values(ThreadItemMovedEvent)
    assert canaries.found_in(found["item_id"]) == ["ThreadItemMovedEvent.item_id"]


def test_every_exemption_is_of_a_field_that_there_is(telemetry: Telemetry) -> None:
    walk = World(telemetry).walk()
    for union in (StreamingReq, NonStreamingReq, ThreadStreamEvent, ThreadItem, Attachment, ThreadMetadata):
        walk.values(union)
    assert {*EXEMPT, *ENCODED, *WORDS} <= walk.met
    assert all(len(reason.split()) > 5 for reason in EXEMPT.values())


# ------------------------------------------------------------------------------------------------ the search itself


def _in_the_name_of_a_span(world: World, leak: str) -> None:
    world.telemetry.tracer.start_span(leak).end()


def _in_an_attribute_of_a_span(world: World, leak: str) -> None:
    world.telemetry.tracer.start_span("app", attributes={"title": leak}).end()


def _in_a_list_of_a_span(world: World, leak: str) -> None:
    world.telemetry.tracer.start_span("app", attributes={"titles": [leak]}).end()


def _in_an_exception_of_a_span(world: World, leak: str) -> None:
    span = world.telemetry.tracer.start_span("app")
    span.record_exception(ValueError(leak))
    span.end()


def _in_the_status_of_a_span(world: World, leak: str) -> None:
    with pytest.raises(ValueError), world.telemetry.tracer.start_as_current_span("app", kind=SpanKind.CLIENT):
        raise ValueError(leak)


def _in_a_metric(world: World, leak: str) -> None:
    world.telemetry.meters.get_meter("app").create_counter("app").add(1, {"title": leak})


def _in_the_body_of_a_log_record(world: World, leak: str) -> None:
    world.telemetry.loggers.get_logger("app").emit(body=leak)


def _in_an_attribute_of_a_log_record(world: World, leak: str) -> None:
    world.telemetry.loggers.get_logger("app").emit(attributes={"title": leak})


def _in_a_record_of_ours(world: World, leak: str) -> None:
    logging.getLogger("chatkit_prod").warning("see %s", leak)


def _in_an_extra_of_a_record(world: World, leak: str) -> None:
    logging.getLogger("chatkit_prod.access").info("see", extra={"chatkit": {"title": leak}})


_LEAKS = (
    _in_the_name_of_a_span,
    _in_an_attribute_of_a_span,
    _in_a_list_of_a_span,
    _in_an_exception_of_a_span,
    _in_the_status_of_a_span,
    _in_a_metric,
    _in_the_body_of_a_log_record,
    _in_an_attribute_of_a_log_record,
    _in_a_record_of_ours,
    _in_an_extra_of_a_record,
)


@pytest.mark.parametrize("leak", _LEAKS, ids=lambda found: found.__name__[1:])
async def test_a_leak_is_found(world: World, leak: Callable[[World, str], None]) -> None:
    await world.ask(create())
    world.check()
    leak(world, world.canaries.text("the leak").upper())
    with pytest.raises(AssertionError, match="the leak"):
        world.check()
