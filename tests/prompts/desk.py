"""A help desk on the real Agents SDK, whose model answers from memory and records what it was given."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from agents import Agent, RunConfig, Runner
from agents.testing import ModelCall, ScriptedModel, assistant_message
from chatkit.actions import Action
from chatkit.agents import (
    AgentContext,
    stream_agent_response,  # pyright: ignore[reportUnknownVariableType] - a bare generic
)
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AudioInput,
    FileAttachment,
    SyncCustomActionResponse,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
)
from openai.types.responses import ResponseInputTextParam
from starlette.requests import HTTPConnection

from chatkit_prod import RequestContext, RequestState
from chatkit_prod.prompts import (
    FencingConverter,
    SystemPrompt,
    TrustedChoice,
    TrustedSetting,
    guard_model_input,
    untrusted,
    user_locale,
)
from chatkit_prod.testing import MemoryStore
from tests.servers import http_scope

PROMPT = SystemPrompt(
    "You are a helpful assistant, the help desk of {company}. Answer politely and in a few words. {language}",
    company=TrustedSetting("Example Travel Ltd in Springfield, open from Monday to Friday"),
    language=TrustedChoice({"en": "Answer in English.", "de": "Answer in German."}, by=user_locale),
)


class Model(ScriptedModel):
    """Always knows an answer."""

    def __init__(self) -> None:
        super().__init__([])

    def expect(self) -> None:
        """Answer once more."""
        self.enqueue([assistant_message("Certainly.", item_id=f"answer_{len(self.calls)}")])


class Converter(FencingConverter):
    """Knows what is in a file by its name."""

    async def attachment_to_message_content(self, attachment: Attachment) -> ResponseInputTextParam:
        return {"type": "input_text", "text": untrusted(attachment.name, source="attachment")}


class Files(AttachmentStore[RequestContext]):
    """Registers every file."""

    async def create_attachment(self, input: AttachmentCreateParams, context: RequestContext) -> Attachment:  # noqa: A002
        return FileAttachment(id="atc_new", name=input.name, mime_type=input.mime_type)

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None: ...


class Desk(ChatKitServer[RequestContext]):
    """Asks its model about every message and every action."""

    def __init__(self, store: Store[Any] | None = None) -> None:
        super().__init__(store or MemoryStore(), Files())
        self.model = Model()

    def agent(self, instructions: Any = PROMPT) -> Agent[Any]:
        return Agent(name="desk", instructions=instructions, model=self.model)

    async def ask(self, input: Any, context: Any, agent: Agent[Any] | None = None) -> None:  # noqa: A002
        """Ask the model, guarded."""
        self.model.expect()
        await Runner.run(agent or self.agent(), input, context=context, run_config=guarded())

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        items = await self.store.load_thread_items(thread.id, None, 100, "asc", context)
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        spoken = await Converter().to_agent_input(items.data)
        self.model.expect()
        result = Runner.run_streamed(self.agent(), spoken, context=agent_context, run_config=guarded())
        async for event in stream_agent_response(agent_context, result):
            yield event

    def action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> AsyncIterator[ThreadStreamEvent]:
        return self.respond(thread, None, context)

    async def sync_action(
        self,
        thread: ThreadMetadata,
        action: Action[str, Any],
        sender: WidgetItem | None,
        context: RequestContext,
    ) -> SyncCustomActionResponse:
        await self.ask(untrusted(action.model_dump_json()), context)
        return SyncCustomActionResponse()

    async def transcribe(self, audio_input: AudioInput, context: RequestContext) -> TranscriptionResult:
        return TranscriptionResult(text="hello")


def guarded(**options: Any) -> RunConfig:
    return RunConfig(call_model_input_filter=guard_model_input, tracing_disabled=True, **options)


def instructions_in(call: ModelCall) -> str:
    """Return everything that speaks to a model for the app: the instructions, and every item that is not of others."""
    items: list[Any] = [] if isinstance(call.input, str) else call.input
    spoken = [item for item in items if item.get("role", "user") not in ("user", "assistant")]
    return f"{call.system_instructions}\n{json.dumps(spoken)}\n{call.prompt}"


def leaves(value: Any) -> Iterator[str]:
    """Yield every text and every key of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(key)
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            yield from leaves(inner)


@asynccontextmanager
async def request(locale: str = "en") -> AsyncGenerator[RequestContext]:
    """Be within a request of an endpoint."""
    state = RequestState(HTTPConnection(http_scope()))
    state.locale = locale
    with state.as_current():
        yield RequestContext.of(state)
