"""Where text stands in what ChatKit sends and gets.

types of ChatKit → shapes, once → texts of a JSON value ┬→ every string that may be somebody's words
                                                        └→ not those in `KEPT`, and nothing but values

A member or a type that this release does not know holds text, wherever a string stands in it. Keys are never
text: an app finds its data by them. In data of the app's own, ids are texts like all others, and stay because
they look like nobody's data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from chatkit.types import (
    Attachment,
    ChatKitReq,
    Page,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
)
from chatkit.widgets import DynamicWidgetComponent, WidgetComponent, WidgetRoot
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from .jsontext import is_array, is_object

_ID = "names something, and says nothing"
_NAME = "a word of the app's program, such as the name of a tool"
_FIELD = "names a field of a form or of a chart: a key"
_ICON = "the name of an icon"
_IMAGE = "where an image is, perhaps signed, or the image itself"
_MEDIA = "a media type"
_CURSOR = "a cursor"

KEPT: Final[Mapping[str, str]] = {
    "Action.type": _NAME,
    "ActionConfig.type": _NAME,
    "AreaSeries.dataKey": _FIELD,
    "AreaSeries.stack": _FIELD,
    "AttachmentBase.id": _ID,
    "AttachmentBase.mime_type": _MEDIA,
    "AttachmentBase.thread_id": _ID,
    "AttachmentCreateParams.mime_type": _MEDIA,
    "AttachmentDeleteParams.attachment_id": _ID,
    "AttachmentUploadDescriptor.headers": "what the upload is signed with",
    "AttachmentUploadDescriptor.url": "where to upload, signed",
    "BarSeries.dataKey": _FIELD,
    "BarSeries.stack": _FIELD,
    "Button.iconEnd": _ICON,
    "Button.iconStart": _ICON,
    "Checkbox.name": _FIELD,
    "ClientEffectEvent.name": _NAME,
    "ClientToolCallItem.call_id": _ID,
    "ClientToolCallItem.name": _NAME,
    "CustomSummary.icon": _ICON,
    "CustomTask.icon": _ICON,
    "DatePicker.name": _FIELD,
    "EditableProps.autoComplete": "a token of HTML",
    "EditableProps.name": _FIELD,
    "EditableProps.pattern": "a regular expression",
    "EntitySource.icon": _ICON,
    "EntitySource.id": _ID,
    "GeneratedImage.id": _ID,
    "GeneratedImage.url": _IMAGE,
    "Icon.name": _ICON,
    "Image.src": _IMAGE,
    "ImageAttachment.preview_url": _IMAGE,
    "InferenceOptions.model": _NAME,
    "Input.name": _FIELD,
    "Input.pattern": "a regular expression",
    "InputTranscribeParams.audio_base64": "a recording",
    "InputTranscribeParams.mime_type": _MEDIA,
    "ItemFeedbackParams.item_ids": _ID,
    "ItemFeedbackParams.thread_id": _ID,
    "ItemsListParams.after": _CURSOR,
    "ItemsListParams.thread_id": _ID,
    "Label.fieldName": _FIELD,
    "LineSeries.dataKey": _FIELD,
    "Page.after": _CURSOR,
    "ProgressUpdateEvent.icon": _ICON,
    "RadioGroup.name": _FIELD,
    "Select.name": _FIELD,
    "SourceBase.timestamp": "a time",
    "StructuredInputBase.id": _ID,
    "Textarea.name": _FIELD,
    "Textarea.pattern": "a regular expression",
    "ThreadAddClientToolOutputParams.thread_id": _ID,
    "ThreadAddStructuredInputParams.item_id": _ID,
    "ThreadAddStructuredInputParams.thread_id": _ID,
    "ThreadAddUserMessageParams.thread_id": _ID,
    "ThreadCustomActionParams.item_id": _ID,
    "ThreadCustomActionParams.thread_id": _ID,
    "ThreadDeleteParams.thread_id": _ID,
    "ThreadGetByIdParams.thread_id": _ID,
    "ThreadItemBase.id": _ID,
    "ThreadItemBase.thread_id": _ID,
    "ThreadItemRemovedEvent.item_id": _ID,
    "ThreadItemUpdatedEvent.item_id": _ID,
    "ThreadListParams.after": _CURSOR,
    "ThreadMetadata.allowed_image_domains": "names of hosts",
    "ThreadMetadata.id": _ID,
    "ThreadRetryAfterItemParams.item_id": _ID,
    "ThreadRetryAfterItemParams.thread_id": _ID,
    "ThreadUpdateParams.thread_id": _ID,
    "ToolChoice.id": _ID,
    "UserMessageInput.attachments": _ID,
    "UserMessageTagContent.id": _ID,
    "WidgetComponentBase.id": _ID,
    "WidgetComponentBase.key": _ID,
    "WidgetComponentBase.type": "names a component",
    "WidgetComponentUpdated.component_id": _ID,
    "WidgetStatusWithFavicon.favicon": _IMAGE,
    "WidgetStatusWithIcon.icon": _ICON,
    "WidgetStreamingTextValueDelta.component_id": _ID,
    "XAxisConfig.dataKey": _FIELD,
}
"""The strings that are not text, by the class that declares them, each with the reason. Literals, enums and times
are not, either; every other string of ChatKit is."""


class _Hint(NamedTuple):
    """What may stand in a place, and whether a string that stands there is kept."""

    type: Any
    kept: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Object:
    """What is known of one kind of object.

    Args:
        members: What its members are, by their names.
        thread: The member that names the thread which its texts belong to.
    """

    members: dict[str, "Shape"] = field(default_factory=dict[str, "Shape"])
    thread: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class Shape:
    """What may stand in one place of a JSON value.

    Args:
        keeps: Whether a string here is no text.
        plain: An object that does not say what it is.
        tagged: Objects by what their `type` says.
        inside: What an array holds, or an object whose keys are the app's own; texts, unless ChatKit says more.
    """

    keeps: bool = False
    plain: Object = field(default_factory=Object)
    tagged: dict[str, Object] = field(default_factory=dict[str, Object])
    inside: "Shape | None" = None


_TEXT: Final = Shape()


def prepare() -> None:
    """Look through ChatKit's types now: the first time takes longer than a stream should wait."""
    for shape_of in (request_shape, event_shape, answer_shape):
        shape_of()


@cache
def request_shape() -> Shape:
    """Return what a request looks like, of any type."""
    return _shape_of(ChatKitReq)


@cache
def event_shape() -> Shape:
    """Return what an event of a stream looks like, of any type."""
    return _shape_of(ThreadStreamEvent)


@cache
def answer_shape() -> Shape:
    """Return what an answer looks like that is no stream: a problem too (RFC 9457), of which only texts are known."""
    return _shape_of(
        Thread | Page[Thread] | Page[ThreadItem] | Attachment | TranscriptionResult | SyncCustomActionResponse
    )


def texts(document: list[Any], shape: Shape, thread_id: str) -> Iterator[tuple[Any, Any, str]]:
    """Yield every text of a JSON value: what holds it, under which key or index, and the thread that it belongs to.

    Args:
        document: The decoded value, alone in a list; the caller may replace each text, while it is yielded.
        shape: What the value may be; what it is is untrusted.
        thread_id: The thread of whatever does not name one.
    """
    places: list[tuple[Any, Any, Shape, str]] = [(document, 0, shape, thread_id)]
    while places:
        holder, key, shape, thread_id = places.pop()
        value: Any = holder[key]
        if isinstance(value, str):
            if not shape.keeps:
                yield holder, key, thread_id
        elif is_object(value):
            found, tag = shape.plain, value.get("type")
            if isinstance(tag, str) and tag in shape.tagged:
                found = shape.tagged[tag]
            if found.thread and isinstance(named := value.get(found.thread), str):
                thread_id = named
            members, other = found.members, shape.inside or _TEXT
            places += [(value, name, members.get(name, other), thread_id) for name in value]
        elif is_array(value):
            inside = shape.inside or _TEXT
            places += [(value, index, inside, thread_id) for index in range(len(value))]


# ------------------------------------------------------------------------------------------------ types to shapes


def _shape_of(hint: Any) -> Shape:
    return _shape(frozenset(_alternatives(_Hint(hint))))


def _alternatives(hint: _Hint) -> Iterator[_Hint]:
    """Yield the types of a union, however deep."""
    origin = get_origin(hint.type)
    if origin in (Annotated, NotRequired, Required):
        yield from _alternatives(hint._replace(type=get_args(hint.type)[0]))
    elif origin in (Union, UnionType):
        for member in get_args(hint.type):
            yield from _alternatives(hint._replace(type=member))
    elif hint.type is DynamicWidgetComponent:
        # What a template has made is of this class throughout, and no less a `Text` or an `Image`.
        yield hint
        for member in _STATIC:
            yield from _alternatives(hint._replace(type=member))
    else:
        yield hint


_STATIC = [
    member
    for union in (WidgetRoot, WidgetComponent)
    for member in get_args(union)
    if member is not DynamicWidgetComponent
]

_shapes: dict[frozenset[_Hint], Shape] = {}


@cache
def _fields(model: Any) -> dict[str, _Hint]:
    """Return what the members of an object are."""
    if is_typeddict(model):
        hints = get_type_hints(model, include_extras=True)
        return {name: _Hint(hint, f"{model.__name__}.{name}" in KEPT) for name, hint in hints.items()}
    model.model_rebuild()  # or its annotations may still be names
    return {
        name: _Hint(info.annotation, declared(model, name) in KEPT)
        for name, info in model.model_fields.items()
    }


def declared(model: type[BaseModel], name: str) -> str:
    """Return a field as `KEPT` has it, by the class that has brought it in."""
    owners = [found for found in model.__mro__ if issubclass(found, BaseModel) and name in found.model_fields]
    return f"{owners[-1].__name__.partition('[')[0]}.{name}"


def _is_model(hint: Any) -> bool:
    return is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, BaseModel))


def _is_wordless(hint: Any) -> bool:
    """Tell whether a string of a type says nothing: it is one of few, or a time."""
    if get_origin(hint) is Literal or hint in (NoneType, bool, int, float, datetime):
        return True
    return isinstance(hint, type) and issubclass(hint, Enum)


def _shape(hints: frozenset[_Hint]) -> Shape:
    """Return the shape of what may be one of several types; made once, since ChatKit's widgets stand in widgets."""
    if hints in _shapes:
        return _shapes[hints]
    shape = _shapes[hints] = Shape()
    models = [hint.type for hint in hints if _is_model(hint.type)]
    strings = [hint for hint in hints if hint.type is not NoneType and not _is_model(hint.type)]
    shape.keeps = bool(strings) and all(hint.kept or _is_wordless(hint.type) for hint in strings)
    inside = frozenset(
        found
        for hint in hints
        if get_origin(hint.type) in (list, dict)
        for found in _alternatives(hint._replace(type=get_args(hint.type)[-1]))
    )
    shape.inside = _shape(inside) if inside else None
    by_tag: dict[str | None, list[Any]] = {None: []}
    for model in models:
        for tag in _tags(model):
            by_tag.setdefault(tag, []).append(model)
    shape.tagged = {tag: _object(found) for tag, found in by_tag.items() if tag is not None}
    shape.plain = _object(by_tag[None])
    for name in frozenset[str]().union(*(known.members for known in shape.tagged.values())):
        # What every kind has and keeps, such as an id, is kept of a kind that is not known.
        if all(name in known.members and known.members[name].keeps for known in shape.tagged.values()):
            shape.plain.members.setdefault(name, Shape(keeps=True))
    if "thread_id" in shape.plain.members and shape.plain.thread is None:
        shape.plain.thread = "thread_id"
    return shape


def _tags(model: Any) -> tuple[str | None, ...]:
    """Return what the `type` of an object may say; None if it has none, or says anything."""
    hint = _fields(model).get("type")
    return get_args(hint.type) if hint is not None and get_origin(hint.type) is Literal else (None,)


def _object(models: list[Any]) -> Object:
    """Return what may be one of several objects."""
    found: dict[str, set[_Hint]] = {}
    for model in models:
        for name, hint in _fields(model).items():
            found.setdefault(name, set()).update(_alternatives(hint))
    members = {name: _shape(frozenset(hints)) for name, hints in found.items()}
    is_thread = any(isinstance(model, type) and issubclass(model, ThreadMetadata) for model in models)
    return Object(members, "id" if is_thread else "thread_id" if "thread_id" in members else None)
