"""Users, and a server with tools that reach for whatever a test tells them to, behind every layer."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, NotFoundError, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    FeedbackKind,
    FileAttachment,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
)
from pydantic import BaseModel

from chatkit_prod import Principal, RequestContext, harden
from chatkit_prod.access import AccessPolicy, Owner
from chatkit_prod.auth import JWTBearer
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import Answer, ChatKitClient, LocalIdentityProvider

from .raw import Raw, Rows

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive
IDENTITY = LocalIdentityProvider(algorithm="Ed25519")
AUTH = JWTBearer(
    issuer=IDENTITY.issuer, audience=IDENTITY.audience, jwks=IDENTITY.jwks, tenant_claim="tenant"
)

AppStore = Store[RequestContext]
Wrap = Callable[[AppStore, AccessPolicy], AppStore]


@dataclass(frozen=True)
class User:
    """Somebody whose mark is in every id of their rows, and in every text that they write.

    Args:
        name: Three letters.
        subject: Their id at the identity provider.
        tenant: Whose on behalf.
    """

    name: str
    subject: str
    tenant: str
    token: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        token = IDENTITY.token(self.subject, tenant=self.tenant)
        object.__setattr__(self, "token", token)

    @property
    def mark(self) -> str:
        return f"~{self.name}~"

    @property
    def stamp(self) -> str:
        return str(Owner(issuer=IDENTITY.issuer, tenant=self.tenant, subject=self.subject))

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


USERS = (User("ann", "1", "red"), User("ben", "2", "red"), User("eve", "1", "blue"))
"""Two share a tenant, and two a subject."""

_BY_PRINCIPAL = {(user.tenant, user.subject): user for user in USERS}


def user_of(principal: Principal) -> User:
    return _BY_PRINCIPAL[principal.tenant or "", principal.subject]


def absent(row_id: str) -> str:
    """Return an id of the same shape that nobody's row has."""
    for user in USERS:
        row_id = row_id.replace(user.mark, "~nil~")
    return row_id


# ------------------------------------------------------------------------------------------------ stores


class Recorder(DelegatingStore[RequestContext]):
    """Makes ids that carry their owner, and knows which methods were called.

    Attributes:
        calls: Their names, in order.
        deleted: The ids of the attachments among what was deleted.
    """

    def __init__(self, inner: AppStore) -> None:
        super().__init__(inner)
        self.calls: list[str] = []
        self.deleted: set[str] = set()
        self._numbers = itertools.count()

    def new_id(self, prefix: str, user: User) -> str:
        return f"{prefix}_{user.mark}{next(self._numbers):04}"

    def generate_thread_id(self, context: RequestContext) -> str:
        return self.new_id("thr", user_of(context.principal))

    def generate_item_id(self, item_type: str, thread: ThreadMetadata, context: RequestContext) -> str:
        return self.new_id("msg", user_of(context.principal))

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        self.deleted.add(attachment_id)
        await super().delete_attachment(attachment_id, context)


def _recorded(name: str) -> Callable[..., Any]:
    method = getattr(Recorder, name)

    async def call(self: Recorder, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(name)
        return await method(self, *args, **kwargs)

    return call


for _name in sorted(Store.__abstractmethods__):
    setattr(Recorder, _name, _recorded(_name))


class Files(AttachmentStore[RequestContext]):
    """Keeps the bytes of attachments, asks nobody who they are, and may store what it made, as ChatKit's guide does.

    Attributes:
        names: The name of each file, by the id of its attachment.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.names: dict[str, str] = {}

    def generate_attachment_id(self, mime_type: str, context: RequestContext) -> str:
        return self._recorder.new_id("atc", user_of(context.principal))

    async def create_attachment(self, input: AttachmentCreateParams, context: RequestContext) -> Attachment:  # noqa: A002
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        self.names[attachment_id] = input.name
        attachment = FileAttachment(id=attachment_id, name=input.name, mime_type=input.mime_type)
        if input.name.startswith("stored"):
            await self._recorder.inner.save_attachment(attachment, context)
        return attachment

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        self.names.pop(attachment_id, None)


# ------------------------------------------------------------------------------------------------ tools


@dataclass(frozen=True)
class ToolCall:
    """One call of the server's own store, or of its attachment store.

    Args:
        method: Its name; of the attachment store with `files.` before it.
        args: All but the context.
    """

    method: str
    args: tuple[Any, ...]

    def renamed(self, names: Sequence[str]) -> "ToolCall":
        """Return the same call with absent ids in the place of some."""
        return ToolCall(self.method, tuple(_renamed(arg, names) for arg in self.args))

    async def outcome(self, server: ChatKitServer[RequestContext], context: RequestContext) -> str:
        """Make the call; return the JSON of what it gives, or the name of its refusal."""
        place, _, name = self.method.rpartition(".")
        target = server.attachment_store if place else server.store
        try:
            found = await getattr(target, name)(*self.args, context)
        except (NotFoundError, CustomStreamError) as error:
            return type(error).__name__
        return found.model_dump_json() if isinstance(found, BaseModel) else "done"


def _renamed(arg: Any, names: Sequence[str]) -> Any:
    if isinstance(arg, BaseModel):
        return type(arg).model_validate_json(_renamed(arg.model_dump_json(), names))
    if isinstance(arg, str):
        for name in names:
            arg = arg.replace(name, absent(name))
    return arg


class ToolServer(ChatKitServer[RequestContext]):
    """Runs its script of tool calls wherever an app's own code runs.

    Attributes:
        script: What the tools call next.
        seen: What the app's code got to see: its arguments, and the outcome of each call.
        outcomes: The outcomes alone.
    """

    def __init__(self, store: AppStore, files: Files) -> None:
        super().__init__(store, files)
        self.script: Sequence[ToolCall] = ()
        self.seen: list[str] = []
        self.outcomes: list[str] = []

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self._reply(thread, input_user_message, context)

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self._reply(thread, sender, context)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> SyncCustomActionResponse:
        await self._work(context, thread, sender)
        return SyncCustomActionResponse(updated_item=sender)

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: RequestContext
    ) -> None:
        await self._work(context)

    async def transcribe(self, audio_input: AudioInput, context: RequestContext) -> TranscriptionResult:
        await self._work(context)
        return TranscriptionResult(text="noise")

    async def _reply(
        self, thread: ThreadMetadata, cause: BaseModel | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        await self._work(context, thread, cause)
        text = AssistantMessageContent(text=user_of(context.principal).mark)
        item_id = self.store.generate_item_id("message", thread, context)
        item = AssistantMessageItem(id=item_id, thread_id=thread.id, created_at=NOW, content=[text])
        yield ThreadItemDoneEvent(item=item)

    async def _work(self, context: RequestContext, *arguments: BaseModel | None) -> None:
        self.seen += [argument.model_dump_json() for argument in arguments if argument]
        for call in self.script:
            self.outcomes.append(await call.outcome(self, context))
        self.seen += self.outcomes


# ------------------------------------------------------------------------------------------------ the world


@dataclass(frozen=True)
class Exchange:
    """One request, and all that can be known of it.

    Args:
        answer: What the client got.
        outcomes: What each tool call gave.
        seen: What the app's code got to see, those outcomes included.
        calls: The methods of the raw store that were called.
        deleted: The attachments that were deleted.
    """

    answer: Answer
    outcomes: list[str]
    seen: list[str]
    calls: list[str]
    deleted: set[str]

    @property
    def text(self) -> str:
        """All that reached the client or the app's code."""
        return "\n".join((str(self.answer.headers), self.answer.body.decode(), *self.seen))

    @property
    def comparable(self) -> tuple[object, ...]:
        """What must not tell a foreign id from an absent one: everything but the id of the request."""
        headers = dict(self.answer.headers)
        request_id = headers.pop("x-request-id").encode()
        body = self.answer.body.replace(request_id, b"")
        return self.answer.status, headers, body, self.outcomes, self.calls


class World:
    """A hardened server over a raw store, and a client.

    Args:
        raw: The store.
        policy: Who reaches what.
        wrap: Puts wrappers between the raw store and the server.
    """

    def __init__(self, raw: Raw, *, policy: AccessPolicy, wrap: Wrap) -> None:
        self._raw = raw
        self.recorder = Recorder(raw.store)
        self._files = Files(self.recorder)
        self._server = ToolServer(wrap(self.recorder, policy), self._files)
        self._client = ChatKitClient(harden(self._server, auth=AUTH, access=policy))

    async def rows(self) -> Rows:
        """Return all that is stored, by the back door."""
        files: Rows = {("file", attachment_id): name for attachment_id, name in self._files.names.items()}
        return await self._raw.rows() | files

    async def ask(self, user: User | None, body: bytes, script: Sequence[ToolCall] = ()) -> Exchange:
        """Send a request as a user, or as nobody, while the tools follow a script."""
        server, recorder = self._server, self.recorder
        server.script, server.seen, server.outcomes = script, [], []
        recorder.calls, recorder.deleted = [], set()
        answer = await self._client.send(body, headers=user.headers if user else {})
        return Exchange(answer, server.outcomes, server.seen, recorder.calls, recorder.deleted)
