"""What a request asks for, as far as a limit has to know: read by the parser that the endpoint uses."""

from typing import NamedTuple, get_args

from chatkit.types import StreamingReq
from pydantic import BaseModel, ValidationError

from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError
from chatkit_prod.operation import operation_names


class Kind(NamedTuple):
    """What a request asks for.

    Args:
        streaming: Whether the answer is a stream of events.
        message: Whether the user says something, or wants another answer.
    """

    streaming: bool
    message: bool


PLAIN = Kind(streaming=False, message=False)

_STREAMING = frozenset(model.model_fields["type"].default for model in get_args(StreamingReq))
_MESSAGES = frozenset(
    (
        "threads.create",
        "threads.add_user_message",
        "threads.add_structured_input",
        "threads.retry_after_item",
    )
)
_KINDS = {name: Kind(name in _STREAMING, name in _MESSAGES) for name in operation_names()}


class _Head(BaseModel):
    type: str


def kind_of(body: bytes, *, max_values: int) -> Kind:
    """Return what a request asks for.

    Args:
        body: As the client sent it: untrusted; the caller bounds its size. An empty one asks for nothing.
        max_values: How many members and elements there may be, as the endpoint counts them.

    Raises:
        ContentTooLargeError: There are more.
        InvalidRequestError: It is not JSON, or of a type that this release does not know: nobody could say what it costs.
    """
    if not body:
        return PLAIN
    if body.count(b"[") + body.count(b"{") + body.count(b",") > max_values:
        raise ContentTooLargeError("max_json_values")
    try:
        kind = _KINDS.get(_Head.model_validate_json(body).type)
    except ValidationError:
        kind = None
    if kind is None:
        raise InvalidRequestError
    return kind
