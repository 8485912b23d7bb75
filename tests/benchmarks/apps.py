"""One server, and the ways to serve it that are compared."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    InferenceOptions,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTextContent,
)
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from chatkit_prod import ChatKitEndpoint, harden
from chatkit_prod.access import AccessPolicy, Owner, stamped
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import JWTBearer
from chatkit_prod.pii import Scrubber
from chatkit_prod.testing import LocalIdentityProvider, MemoryStore

OWNER = Owner(issuer="https://idp.localhost", subject="user")
THREAD = stamped(ThreadMetadata(id="thr_bench", created_at=datetime(2026, 1, 1, tzinfo=UTC)), OWNER)
TURNS = 10  # a question and an answer each: the first page that ChatKit loads of a thread
OTHER_EVENTS = 5  # the user's message, the options, the item added, the item done, and the end

identity_provider = LocalIdentityProvider()


class BenchServer(ChatKitServer[Any]):
    """Answers with a number of deltas, and never waits for anything.

    Args:
        deltas: How many.
        turns: Questions in its one thread, each with its answer.
        store: Where it keeps its one thread; in memory by default.
    """

    def __init__(self, deltas: int, *, turns: int = TURNS, store: Store[Any] | None = None) -> None:
        self.inner = store or MemoryStore()
        super().__init__(self.inner)
        self._deltas = deltas
        self._turns = turns

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        item = AssistantMessageItem(
            id="msg_bench", thread_id=thread.id, created_at=THREAD.created_at, content=[]
        )
        yield ThreadItemAddedEvent(item=item)
        for _ in range(self._deltas):
            delta = AssistantMessageContentPartTextDelta(content_index=0, delta="word ")
            yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
        yield ThreadItemDoneEvent(item=item)

    async def reset(self) -> None:
        """Leave one thread in the store, with its questions and their answers."""
        await self.inner.delete_thread(THREAD.id, None)
        await self.inner.save_thread(THREAD, None)
        for number in range(self._turns):
            for item in _turn(number):
                await self.inner.add_thread_item(THREAD.id, item, None)


def _turn(number: int) -> tuple[UserMessageItem, AssistantMessageItem]:
    question = UserMessageItem(
        id=f"msg_{number}_question",
        thread_id=THREAD.id,
        created_at=THREAD.created_at,
        content=[UserMessageTextContent(text="How do I reset my password?")],
        inference_options=InferenceOptions(),
    )
    answer = AssistantMessageItem(
        id=f"msg_{number}_answer",
        thread_id=THREAD.id,
        created_at=THREAD.created_at,
        content=[AssistantMessageContent(text="Open the settings, and choose another one.")],
    )
    return question, answer


def bare(server: ChatKitServer[Any]) -> ASGIApp:
    """Return the handler of ChatKit's guide "Prepare your app for production"."""
    app = FastAPI()

    def get_current_user(request: Request) -> str:
        user_id = request.headers.get("x-user-id")
        if not user_id:
            raise HTTPException(status_code=401, detail="Unauthorized")
        return user_id

    @app.post("/chatkit")
    async def chatkit_endpoint(
        request: Request, user_id: Annotated[str, Depends(get_current_user)]
    ) -> Response:
        result = await server.process(await request.body(), {"user_id": user_id, "locale": "en"})
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    return app


def alone(server: ChatKitServer[Any]) -> ASGIApp:
    """Return the endpoint without any layer."""
    return ChatKitEndpoint(server)


def hardened(
    server: ChatKitServer[Any], *, access: AccessPolicy | None = None, pii: Scrubber | None = None
) -> ASGIApp:
    """Return the endpoint with all layers, an RS256 token, three languages, spans and metrics that are recorded."""
    return harden(
        server,
        auth=JWTBearer(issuer=identity_provider.issuer, audience="chatkit", jwks=identity_provider.jwks),
        access=access,
        pii=pii,
        locales=["en", "fr", "de"],
        tracer_provider=TracerProvider(),
        meter_provider=MeterProvider([InMemoryMetricReader()]),
    )
