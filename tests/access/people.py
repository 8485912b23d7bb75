"""Users, what belongs to them, and the request that one of them makes."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    FileAttachment,
    InferenceOptions,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTextContent,
)

from chatkit_prod import Principal, RequestContext, RequestState
from tests.servers import http_scope

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive


def principal(subject: str, *, tenant: str | None = "acme", issuer: str = "desk", **more: Any) -> Principal:
    return Principal(issuer=issuer, subject=subject, tenant=tenant, **more)


def of(who: Principal) -> RequestContext:
    return RequestContext(principal=who)


ALICE = of(principal("alice"))
BOB = of(principal("bob"))
EVE = of(principal("eve", tenant="umbrella"))


@contextmanager
def request_of(who: Principal) -> Generator[RequestState]:
    """Make a request of somebody the current one."""
    _, state = RequestState.seed(http_scope())
    state.principal = who
    with state.as_current():
        yield state


def thread(thread_id: str = "thr_1", **fields: Any) -> ThreadMetadata:
    values: dict[str, Any] = {"id": thread_id, "created_at": NOW, "title": "hers"}
    return ThreadMetadata(**values | fields)


def message(item_id: str = "msg_1", thread_id: str = "thr_1", text: str = "hers") -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(id=item_id, thread_id=thread_id, created_at=NOW, content=content)


def question(item_id: str = "msg_1", thread_id: str = "thr_1", text: str = "hers") -> UserMessageItem:
    return UserMessageItem(
        id=item_id,
        thread_id=thread_id,
        created_at=NOW,
        content=[UserMessageTextContent(text=text)],
        inference_options=InferenceOptions(),
    )


def attachment(attachment_id: str = "atc_1", **fields: Any) -> FileAttachment:
    values: dict[str, Any] = {"id": attachment_id, "name": "hers.txt", "mime_type": "text/plain"}
    return FileAttachment(**values | fields)
