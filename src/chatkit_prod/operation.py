"""Bytes to a validated ChatKit request: its name, whether it streams, and every id it names."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    ChatKitReq,
    InputTranscribeReq,
    ItemsFeedbackReq,
    ItemsListReq,
    NonStreamingReq,
    StreamingReq,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    ThreadsUpdateReq,
    UserMessageInput,
)
from pydantic import BaseModel, TypeAdapter, ValidationError

from .errors import ConfigurationError, ContentTooLargeError, InvalidRequestError
from .nesting import nests_deeper

Request = StreamingReq | NonStreamingReq

_ID = re.compile(r"[A-Za-z0-9_~:=-][A-Za-z0-9_.~:=-]{0,127}")
_CURSOR = re.compile(r"[!-~]{1,512}")
_FILE_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MEDIA_TYPE = re.compile(r"[ -~]{0,255}")
_MAX_FILE_BYTES = 2**53
_MAX_ERRORS = 100


def is_id(text: str) -> bool:
    """Tell whether a text has the form of an id: of few characters, none of them a space, and not long."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may send. Every limit is inclusive.

    Args:
        max_body_bytes: Size of the request body.
        max_text_characters: All text that a user writes in one request: the parts of a message with
            its quoted text, the answers to a form, or a title.
        max_attachments: Attachments of one message.
        max_item_ids: Items that one feedback is about.
        max_page_size: A client that asks for more gets this many, as in AIP-158; less than zero is refused.
        max_json_depth: How deep objects and arrays may nest.
        max_json_values: How many members and elements there may be, counted as commas and opening
            brackets wherever they stand; the cost of validation is bounded by it.
        max_audio_bytes: Size of a dictation after base64 decoding.

    Raises:
        ConfigurationError: A limit is not a positive integer.
    """

    max_body_bytes: int = 4 * 1024 * 1024
    max_text_characters: int = 100_000
    max_attachments: int = 20
    max_item_ids: int = 100
    max_page_size: int = 100
    max_json_depth: int = 32
    max_json_values: int = 20_000
    max_audio_bytes: int = 2 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{name} must be a positive integer, not {value!r}")


@dataclass(frozen=True, slots=True)
class Operation:
    """A validated request.

    Args:
        name: The `type` of the request, such as `threads.create`.
        streaming: Whether the answer is a stream of events.
        request: The parsed request; its texts are untrusted.
        body: The same as JSON, for a server that has a `process` of its own.
        thread_id: The thread it names, well-formed but untrusted.
        item_ids: The items it names, the cursor of a page not among them.
        attachment_ids: The attachments it names.
    """

    name: str
    streaming: bool
    request: Request
    body: bytes
    thread_id: str | None
    item_ids: tuple[str, ...]
    attachment_ids: tuple[str, ...]


class _Named(NamedTuple):
    """What one request names and holds."""

    thread_id: str | None = None
    item_ids: tuple[str, ...] = ()
    attachment_ids: tuple[str, ...] = ()
    text: Iterable[str] = ()
    other_ids: tuple[str, ...] = ()


def _message_text(message: UserMessageInput) -> Iterator[str]:
    yield message.quoted_text or ""
    for part in message.content:
        yield part.text


def _create(request: ThreadsCreateReq) -> _Named:
    message = request.params.input
    return _Named(None, (), tuple(message.attachments), _message_text(message))


def _add_user_message(request: ThreadsAddUserMessageReq) -> _Named:
    message = request.params.input
    return _Named(request.params.thread_id, (), tuple(message.attachments), _message_text(message))


def _structured_input(request: ThreadsAddStructuredInputReq) -> _Named:
    params = request.params
    answers = (value for answer in params.input.answers.values() for value in answer.values)
    return _Named(params.thread_id, (params.item_id,), (), answers, tuple(params.input.answers))


def _action(request: ThreadsCustomActionReq | ThreadsSyncCustomActionReq) -> _Named:
    item_id = request.params.item_id
    return _Named(request.params.thread_id, () if item_id is None else (item_id,))


_NAMED: dict[type[BaseModel], Callable[[Any], _Named]] = {
    ThreadsCreateReq: _create,
    ThreadsAddUserMessageReq: _add_user_message,
    ThreadsAddClientToolOutputReq: lambda r: _Named(r.params.thread_id),
    ThreadsAddStructuredInputReq: _structured_input,
    ThreadsRetryAfterItemReq: lambda r: _Named(r.params.thread_id, (r.params.item_id,)),
    ThreadsCustomActionReq: _action,
    ThreadsGetByIdReq: lambda r: _Named(r.params.thread_id),
    ThreadsListReq: lambda _: _Named(),
    ItemsListReq: lambda r: _Named(r.params.thread_id),
    ItemsFeedbackReq: lambda r: _Named(r.params.thread_id, tuple(r.params.item_ids)),
    AttachmentsCreateReq: lambda _: _Named(),
    AttachmentsDeleteReq: lambda r: _Named(attachment_ids=(r.params.attachment_id,)),
    ThreadsUpdateReq: lambda r: _Named(r.params.thread_id, text=(r.params.title,)),
    ThreadsDeleteReq: lambda r: _Named(r.params.thread_id),
    InputTranscribeReq: lambda _: _Named(),
    ThreadsSyncCustomActionReq: _action,
}
"""What each of the request types names. A type without an entry is refused."""

_STREAMING = frozenset(get_args(StreamingReq))

_adapter: TypeAdapter[Request] = TypeAdapter(ChatKitReq)


def _known_names() -> frozenset[str]:
    """Return every field name and request type, the only words that an error's `loc` may show."""
    names: set[str] = set()
    seen: set[Any] = set()
    queue: list[Any] = list(_NAMED)
    while queue:
        found = queue.pop()
        if isinstance(found, type) and issubclass(found, BaseModel):
            if found not in seen:
                seen.add(found)
                for name, annotation in get_type_hints(found).items():
                    names.add(name)
                    queue.append(annotation)
        elif get_origin(found) is Literal:
            names.update(get_args(found))
        else:
            queue.extend(get_args(found))
    return frozenset(names)


_KNOWN_NAMES = _known_names()


def parse(body: bytes, limits: Limits) -> Operation:
    """Validate the body of a request.

    Args:
        body: JSON as the client sent it; untrusted, already bounded by `max_body_bytes`.
        limits: What a client may send.

    Raises:
        InvalidRequestError: The body is not JSON, not a request type of this release, nested too
            deep, or names an id that no store of ours could have made.
        ContentTooLargeError: Values, text, attachments or audio are over a limit.
    """
    if body.count(b"[") + body.count(b"{") + body.count(b",") > limits.max_json_values:
        raise ContentTooLargeError("max_json_values")
    try:
        request = _adapter.validate_json(body)
    except ValidationError as error:
        raise InvalidRequestError(_describe(error)) from None
    describe = _NAMED.get(type(request))
    if describe is None:
        raise InvalidRequestError([_error(["type"], "This request type is not supported.")])
    if nests_deeper(body, limits.max_json_depth):
        raise InvalidRequestError([_error([], f"JSON may be nested {limits.max_json_depth} levels deep.")])
    named = describe(request)
    _check_sizes(named, limits)
    _check_ids(named)
    _check_type_specific(request, limits)
    bounded = isinstance(request, ThreadsListReq | ItemsListReq) and _bound_page(request, limits)
    return Operation(
        request.type,
        type(request) in _STREAMING,
        request,
        request.model_dump_json(by_alias=True).encode() if bounded else body,
        named.thread_id,
        named.item_ids,
        named.attachment_ids,
    )


def _error(loc: list[str | int], message: str) -> dict[str, Any]:
    return {"loc": loc, "msg": message}


def _describe(error: ValidationError) -> list[dict[str, Any]]:
    """Say where and what is wrong, without a word of the input (RFC 9457 §5)."""
    if error.error_count() > _MAX_ERRORS:
        return [_error([], f"There are {error.error_count()} errors.")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        _error(
            [part if isinstance(part, int) or part in _KNOWN_NAMES else "*" for part in item["loc"]],
            "This request type is not supported." if item["type"] == "union_tag_invalid" else item["msg"],
        )
        for item in found
    ]


def _check_sizes(named: _Named, limits: Limits) -> None:
    if len(named.attachment_ids) > limits.max_attachments:
        raise ContentTooLargeError("max_attachments", limits.max_attachments)
    if len(named.item_ids) > limits.max_item_ids:
        raise ContentTooLargeError("max_item_ids")
    if sum(map(len, named.text)) > limits.max_text_characters:
        raise ContentTooLargeError("max_text_characters", limits.max_text_characters)


def _check_ids(named: _Named) -> None:
    thread_ids = () if named.thread_id is None else (named.thread_id,)
    ids = (*thread_ids, *named.item_ids, *named.attachment_ids, *named.other_ids)
    if not all(map(is_id, ids)):
        raise InvalidRequestError(
            [_error(["params"], "An id has a character or a length that ids do not have.")]
        )


def _check_type_specific(request: Request, limits: Limits) -> None:
    match request:
        case AttachmentsCreateReq():
            _check_file(request)
        case InputTranscribeReq():
            _check_media_type(request.params.mime_type)
            _check_audio(request.params.audio_base64, limits)
        case _:
            pass


def _check_file(request: AttachmentsCreateReq) -> None:
    params = request.params
    if not 0 <= params.size <= _MAX_FILE_BYTES:
        raise InvalidRequestError([_error(["params", "size"], "This is not the size of a file.")])
    if not _FILE_NAME.fullmatch(params.name) or params.name in (".", ".."):
        raise InvalidRequestError([_error(["params", "name"], "This is not the name of a file.")])
    _check_media_type(params.mime_type)


def _check_media_type(media_type: str) -> None:
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidRequestError([_error(["params", "mime_type"], "This is not a media type.")])


def _bound_page(request: ThreadsListReq | ItemsListReq, limits: Limits) -> bool:
    """Refuse nonsense, and cut a page to its limit; tell whether it was cut."""
    params = request.params
    if params.after is not None and not _CURSOR.fullmatch(params.after):
        raise InvalidRequestError([_error(["params", "after"], "This is not a cursor.")])
    if params.limit is None:
        return False
    if params.limit < 0:
        raise InvalidRequestError([_error(["params", "limit"], "A page size is not negative.")])
    asked, params.limit = params.limit, min(params.limit, limits.max_page_size)
    return asked != params.limit


def _check_audio(audio: str, limits: Limits) -> None:
    """Refuse what is too large, and what is not strict base64 (RFC 4648 §3.3 and §4)."""
    if len(audio) * 3 // 4 - audio[-2:].count("=") > limits.max_audio_bytes:
        raise ContentTooLargeError("max_audio_bytes")
    if len(audio) % 4 or not _BASE64.fullmatch(audio):
        raise InvalidRequestError([_error(["params", "audio_base64"], "This is not base64.")])


def operation_names() -> frozenset[str]:
    """Return the name of every operation that this release knows."""
    return frozenset(cast("str", model.model_fields["type"].default) for model in _NAMED)
