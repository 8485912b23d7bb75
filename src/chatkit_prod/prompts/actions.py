"""Actions of widgets and of the client: each payload validated by a model of its type.

ChatKitServer.action      → router.stream ─┬→ the handler of the type, with a validated payload
ChatKitServer.sync_action → router.answer ─┴→ a refusal in the user's language, an audit record
"""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.types import SyncCustomActionResponse, ThreadMetadata, ThreadStreamEvent, WidgetItem
from pydantic import BaseModel

from chatkit_prod import texts
from chatkit_prod.errors import ConfigurationError, InvalidRequestError
from chatkit_prod.nesting import nests_deeper
from chatkit_prod.options import is_text, named
from chatkit_prod.state import RequestState

from .audit import audit_refusal

TContext = TypeVar("TContext")
TPayload = TypeVar("TPayload", bound=BaseModel)

StreamHandler = Callable[
    [ThreadMetadata, TPayload, WidgetItem | None, TContext], AsyncIterator[ThreadStreamEvent]
]
"""What ChatKit's `action` is, with the payload in place of the action."""
AnswerHandler = Callable[
    [ThreadMetadata, TPayload, WidgetItem | None, TContext], Awaitable[SyncCustomActionResponse]
]
"""The same of `sync_action`."""

_MAX_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 16


class _Route(NamedTuple):
    model: type[BaseModel]
    handler: Callable[..., Any]


class ActionRouter(Generic[TContext]):
    """Hand each action to the function of its type, with a payload that a pydantic model has validated.

    An action of an unknown type, or with a payload that is not valid, is refused before any code of the app sees
    it (OWASP ASVS 5.0, 2.2.1: validate against an allow-list). The payload is validated as JSON and strictly: `"1"` is no number. No payload
    is an empty object. A client can send any payload for a type, also one that no widget has offered: ids in it
    still have to be authorized.

    Args:
        max_bytes: Size of a payload as JSON.
        max_depth: How deep its objects and arrays may nest.

    Raises:
        ConfigurationError: A limit is not a positive integer.
    """

    def __init__(self, *, max_bytes: int = _MAX_BYTES, max_depth: int = _MAX_DEPTH) -> None:
        for name, limit in (("max_bytes", max_bytes), ("max_depth", max_depth)):
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ConfigurationError(f"{name} must be a positive integer, not {limit!r}")
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        self._streams: dict[str, _Route] = {}
        self._answers: dict[str, _Route] = {}

    def on(
        self,
        action_type: str,
        model: type[TPayload],
    ) -> Callable[[StreamHandler[TPayload, TContext]], StreamHandler[TPayload, TContext]]:
        """Register an async generator function for the actions of a type that stream.

        Args:
            action_type: As the widget has it.
            model: Of the payload. With `extra="forbid"`, members that it does not know are refused too.

        Raises:
            ConfigurationError: The type has a handler, `model` is no pydantic model, or the function does not yield.
        """

        def register(handler: StreamHandler[TPayload, TContext]) -> StreamHandler[TPayload, TContext]:
            if inspect.iscoroutinefunction(handler):
                raise ConfigurationError(
                    f"the handler of {action_type!r} must yield events, or be one of on_sync"
                )
            _register(self._streams, action_type, model, handler)
            return handler

        return register

    def on_sync(
        self,
        action_type: str,
        model: type[TPayload],
    ) -> Callable[[AnswerHandler[TPayload, TContext]], AnswerHandler[TPayload, TContext]]:
        """Register an async function for the actions of a type that do not stream.

        Args:
            action_type: As the widget has it.
            model: Of the payload.

        Raises:
            ConfigurationError: The type has a handler, `model` is no pydantic model, or the function yields.
        """

        def register(handler: AnswerHandler[TPayload, TContext]) -> AnswerHandler[TPayload, TContext]:
            if inspect.isasyncgenfunction(handler):
                raise ConfigurationError(
                    f"the handler of {action_type!r} must return an answer, or be one of on"
                )
            _register(self._answers, action_type, model, handler)
            return handler

        return register

    def stream(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: TContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Return the events of an action: what `ChatKitServer.action` returns.

        Raises:
            CustomStreamError: It is refused; its text is in the user's language.
        """
        found = self._validated(self._streams, action)
        if found is None:
            message = RequestState.current_translations().gettext(texts.INVALID_REQUEST)
            raise CustomStreamError(message, allow_retry=False)
        handler, payload = found
        events: AsyncIterator[ThreadStreamEvent] = handler(thread, payload, sender, context)
        return events

    async def answer(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: TContext
    ) -> SyncCustomActionResponse:
        """Return the answer of an action: what `ChatKitServer.sync_action` returns.

        Raises:
            InvalidRequestError: It is refused.
        """
        found = self._validated(self._answers, action)
        if found is None:
            raise InvalidRequestError(reason="action")
        handler, payload = found
        answer: SyncCustomActionResponse = await handler(thread, payload, sender, context)
        return answer

    def _validated(
        self, routes: dict[str, _Route], action: Action[str, Any]
    ) -> tuple[Callable[..., Any], BaseModel] | None:
        route = routes.get(action.type)
        if route is None:
            audit_refusal("unknown action")
            return None
        payload = self._payload(route.model, action.payload)
        if payload is None:
            audit_refusal("invalid payload of an action")
            return None
        return route.handler, payload

    def _payload(self, model: type[BaseModel], payload: Any) -> BaseModel | None:
        """Return a payload as its model has it; None if it is too large, or not valid."""
        try:
            body = json.dumps({} if payload is None else payload, allow_nan=False).encode()
            if len(body) > self._max_bytes or nests_deeper(body, self._max_depth):
                return None
            return model.model_validate_json(body, strict=True)
        except (TypeError, ValueError, RecursionError):  # pydantic's own is a ValueError
            return None


def _register(
    routes: dict[str, _Route],
    action_type: str,
    model: type[BaseModel],
    handler: Callable[..., Any],
) -> None:
    if not is_text(action_type):
        raise ConfigurationError(f"the type of an action must be a text, not {named(action_type)}")
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        raise ConfigurationError(f"the model of {action_type!r} must be a pydantic model, not {named(model)}")
    if action_type in routes:
        raise ConfigurationError(f"there is a handler of {action_type!r} already")
    routes[action_type] = _Route(model, handler)
