"""Every string of ChatKit's is either a text or not, and somebody has decided which."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from chatkit.types import (
    Attachment,
    ChatKitReq,
    Page,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadStreamEvent,
    TranscriptionResult,
)
from pydantic import AnyUrl, StringConstraints, TypeAdapter

from chatkit_prod.pii.jsontext import is_array, is_object
from chatkit_prod.pii.walk import KEPT, Shape, answer_shape, event_shape, request_shape, texts
from tests.pii.fakes import WORD, mask
from tests.tracing.canaries import Canaries, Walk

_FIELD = re.compile(r"<([^<>]+)>")
_LISTS = ("ItemFeedbackParams.item_ids", "UserMessageInput.attachments")

_TEXTS = """
    Action.payload ActionConfig.payload AreaSeries.label AssistantMessageContent.text
    AssistantMessageContentPartTextDelta.delta AttachmentBase.metadata AttachmentBase.name
    AttachmentCreateParams.name Badge.label BarSeries.label BaseReq.metadata Button.label Caption.value
    CardAction.label Chart.data Checkbox.label ClientEffectEvent.data ClientToolCallItem.arguments
    ClientToolCallItem.output ClosedStatus.reason CustomSummary.title CustomTask.content CustomTask.title
    DatePicker.placeholder EditableProps.placeholder EntitySource.data EntitySource.inline_label
    EntitySource.label ErrorEvent.message FileSource.filename FileTask.title HiddenContextItem.content Image.alt
    ImageTask.title Input.defaultValue Input.placeholder Label.value LineSeries.label LockedStatus.reason
    Markdown.value NoticeEvent.message NoticeEvent.title ProgressUpdateEvent.text RadioGroup.ariaLabel
    RadioGroup.defaultValue RadioOption.label RadioOption.value SDKHiddenContextItem.content SearchTask.queries
    SearchTask.title SearchTask.title_query Select.defaultValue Select.placeholder SelectOption.description
    SelectOption.label SelectOption.value SourceBase.description SourceBase.group SourceBase.title
    StructuredInputAnswer.values StructuredInputAnswerSubmission.values StructuredInputBase.question
    StructuredInputFreeform.description StructuredInputMultipleChoiceOption.value
    StructuredInputSubmission.answers Text.value Textarea.defaultValue Textarea.placeholder
    ThoughtTask.content ThoughtTask.title ThreadAddClientToolOutputParams.result ThreadMetadata.metadata
    ThreadMetadata.title ThreadUpdateParams.title Title.value TranscriptionResult.text URLSource.attribution
    URLSource.url UserMessageInput.quoted_text UserMessageItem.quoted_text UserMessageTagContent.data
    UserMessageTagContent.group UserMessageTagContent.text UserMessageTextContent.text WidgetItem.copy_text
    WidgetStatusWithFavicon.text WidgetStatusWithIcon.text WidgetStreamingTextValueDelta.delta
    XAxisConfig.labels
"""
TEXTS = frozenset(_TEXTS.split())
"""The texts of ChatKit, and what an app puts there as it likes."""

_STYLES = """
    AreaSeries.color BarSeries.color Border.color BoxBase.aspectRatio BoxBase.background BoxBase.flex BoxBase.gap
    BoxBase.height BoxBase.margin BoxBase.maxHeight BoxBase.maxSize BoxBase.maxWidth BoxBase.minHeight
    BoxBase.minSize BoxBase.minWidth BoxBase.padding BoxBase.size BoxBase.width Caption.color Card.background
    Card.padding Chart.aspectRatio Chart.flex Chart.height Chart.maxHeight Chart.maxSize Chart.maxWidth
    Chart.minHeight Chart.minSize Chart.minWidth Chart.size Chart.width Chart.xAxis Divider.color Divider.size
    Divider.spacing Icon.color Image.aspectRatio Image.background Image.flex Image.height Image.margin
    Image.maxHeight Image.maxSize Image.maxWidth Image.minHeight Image.minSize Image.minWidth Image.size
    Image.width Label.color LineSeries.color ListViewItem.gap Spacer.minSize Spacing.bottom Spacing.left
    Spacing.right Spacing.top Spacing.x Spacing.y Text.color Text.width ThemeColor.dark ThemeColor.light
    Title.color
"""
STYLES = frozenset(_STYLES.split())
"""CSS, which an app may write as it likes, and which looks like nobody's data: scrubbed as texts are."""


class Filled(Walk):
    """Puts the word into every string, with the field that it stands in."""

    def __init__(self) -> None:
        super().__init__(Canaries(), {})

    def _leaf(self, hint: Any, place: Any, constraints: Sequence[Any]) -> Any:
        if hint is AnyUrl:
            self.met.add(place.field)
            return f"https://example.com/?<{place.field}>{WORD}"
        if hint is Any:
            self.met.add(place.field)
            said = f"<{place.field}> {WORD}"
            return {f"a key {WORD}": [said, {"id": said, "n": 1}], "type": said}
        return super()._leaf(hint, place, constraints)

    def _text(self, place: Any, constraints: Sequence[Any]) -> str:
        prefix = "".join(
            str(found.pattern)[1:] for found in constraints if isinstance(found, StringConstraints)
        )
        return f"{prefix}<{place.field}> {WORD}"

    def _id(self, place: Any) -> Any:
        self.met.add(place.field)
        found = f"<{place.field}> {WORD}"
        return [found] if place.field in (*_LISTS, "StructuredInputSubmission.answers") else found


ANSWERS: tuple[Any, ...] = (
    Thread,
    Page[Thread],
    Page[ThreadItem],
    Attachment,
    TranscriptionResult,
    SyncCustomActionResponse,
)
EVERYTHING: list[tuple[Any, Shape, Any]] = [
    *((found, request_shape(), ChatKitReq) for found in Filled().values(ChatKitReq)),
    *((found, event_shape(), ThreadStreamEvent) for found in Filled().values(ThreadStreamEvent)),
    *((found, answer_shape(), answer) for answer in ANSWERS for found in Filled().values(answer)),
]


def scrub(value: Any, shape: Shape) -> Any:
    document = [json.loads(json.dumps(value))]
    for holder, key, _ in texts(document, shape, ""):
        assert type(holder[key]) is str
        holder[key] = mask(holder[key])
    return document[0]


def expected(value: Any) -> Any:
    if isinstance(value, str):
        found = _FIELD.search(value)
        return value if found and found[1] in KEPT else mask(value)
    if is_object(value):
        return {key: expected(inside) for key, inside in value.items()}
    return [expected(inside) for inside in value] if is_array(value) else value


def places(value: Any, shape: Shape, thread_id: str = "") -> list[tuple[str, str]]:
    return sorted((holder[key], thread) for holder, key, thread in texts([value], shape, thread_id))


def test_somebody_has_decided_about_every_string_of_chatkit() -> None:
    walk = Filled()
    for hint in (ChatKitReq, ThreadStreamEvent, *ANSWERS):
        walk.values(hint)
    decided = KEPT.keys() | TEXTS | STYLES
    assert walk.met - decided == set()
    assert decided - walk.met == set()
    assert KEPT.keys() & (TEXTS | STYLES) == set()


def test_every_text_is_found_in_every_request_event_and_answer_and_nothing_else() -> None:
    seen = 0
    for value, shape, hint in EVERYTHING:
        TypeAdapter[Any](hint).validate_python(value)
        found = scrub(value, shape)
        assert found == expected(value)
        TypeAdapter[Any](hint).validate_python(found)
        seen += json.dumps(value).count(WORD)
    assert seen > 1000


@pytest.mark.parametrize(
    "shape", [request_shape(), event_shape(), answer_shape()], ids=["request", "event", "answer"]
)
@pytest.mark.parametrize(
    "value",
    [
        WORD,
        [WORD],
        {"type": "novel", "deep": [{"x": WORD, "n": 1}]},
        {"type": 1, "x": WORD},
        {"type": WORD[:0], "x": WORD},
    ],
    ids=repr,
)
def test_what_no_release_knows_is_text_leaf_by_leaf(value: Any, shape: Shape) -> None:
    assert WORD not in json.dumps(scrub(value, shape)) or shape is not answer_shape()
    assert (WORD, "") in places(value, shape)


def test_of_an_item_to_come_what_every_item_has_is_kept() -> None:
    item = {"type": "novel", "id": "i", "thread_id": "t", "created_at": "c", "text": "x", "more": {"id": "y"}}
    assert places({"type": "thread.item.added", "item": item}, event_shape()) == [("x", "t"), ("y", "t")]


def test_a_member_that_chatkit_does_not_have_is_text() -> None:
    event = {"type": "notice", "level": "info", "message": "x", "novel": {"id": "y"}, "4": "z"}
    assert [text for text, _ in places(event, event_shape())] == ["x", "y", "z"]


@pytest.mark.parametrize("root", ["Basic", "Card", "ListView"])
def test_what_a_template_has_made_is_known_by_its_type(root: str) -> None:
    image = {"type": "Image", "src": "data:image/png;base64,AAAA", "alt": "x", "novel": "y"}
    children = {
        "type": "novel",
        "id": "i",
        "src": "z",
        "children": [image, {"type": "Box", "children": [image]}],
    }
    widget = {"type": root, "key": "k", "children": children}
    found = places(
        {
            "type": "thread.item.updated",
            "item_id": "i",
            "update": {"type": "widget.root.updated", "widget": widget},
        },
        event_shape(),
    )
    assert [text for text, _ in found] == ["x", "x", "y", "y", "z"]


def test_what_stands_where_an_id_belongs_and_is_none_is_text() -> None:
    request = {
        "type": "items.feedback",
        "params": {"thread_id": {"a": ["x"]}, "item_ids": ["kept", ["y"], {"z": "z"}]},
    }
    assert [text for text, _ in places(request, request_shape())] == ["x", "y", "z"]


def test_texts_belong_to_the_thread_that_stands_around_them() -> None:
    item = {
        "type": "user_message",
        "id": "i",
        "thread_id": "t2",
        "content": [{"type": "input_text", "text": "b"}],
    }
    page = {"data": [{"id": "t1", "title": "a", "items": {"data": [item]}}, {"title": "c", "id": 5}]}
    assert places(page, answer_shape(), "t0") == [("a", "t1"), ("b", "t2"), ("c", "t0")]
    request = {"type": "threads.update", "params": {"thread_id": "t1", "title": "a"}, "metadata": {"x": "b"}}
    assert places(request, request_shape(), "t0") == [("a", "t1"), ("b", "t0")]


def test_every_reason_is_given() -> None:
    assert all(KEPT.values())
