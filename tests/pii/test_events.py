"""The events of a stream: a text that grows is scrubbed as the whole that it is, however it comes."""

import json
from typing import Any

import pytest
from chatkit.types import ThreadStreamEvent
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chatkit_prod.pii.blocks import BlockReader
from chatkit_prod.pii.events import EventScrubber
from chatkit_prod.pii.middleware import PIIMiddleware
from chatkit_prod.sse import KEEP_ALIVE
from tests.pii.fakes import (
    WORD,
    Client,
    FakeScrubber,
    cut,
    event,
    item_event,
    mask,
    message_item,
    said,
    streaming,
    text_delta,
    updated,
    value_delta,
)

pytestmark = pytest.mark.anyio

EVENT: TypeAdapter[Any] = TypeAdapter(ThreadStreamEvent)


def widget_item(*components: dict[str, Any], item_id: str = "wid_1") -> dict[str, Any]:
    return {**message_item(item_id=item_id), "type": "widget", "content": [], "widget": card(*components)}


def card(*children: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Card", "children": list(children)}


def component(value: str, name: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "Text", "id": name, "value": value, **more}


def thought(text: str, index: int = 0, kind: str = "updated") -> bytes:
    task = {"type": "thought", "content": text}
    return updated("wf_1", type=f"workflow.task.{kind}", task_index=index, task=task)


def part_event(kind: str, text: str, item_id: str = "msg_1", index: int = 0) -> bytes:
    content: dict[str, Any] = {"annotations": [], "text": text, "type": "output_text"}
    return updated(
        item_id, type=f"assistant_message.content_part.{kind}", content_index=index, content=content
    )


def scrubbed(*events: bytes, thread_id: str = "", scoped: bool = False) -> bytes:
    """Return what comes of a stream, without a response around it."""
    scrubber, reader, sent = EventScrubber(FakeScrubber(scoped=scoped), thread_id), BlockReader(), b""
    for found in events:
        for block in reader.feed(found):
            sent += _result(scrubber.scrub(block))
    return sent + _result(scrubber.finish())


def _result(steps: Any) -> bytes:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: bytes = end.value
            return found


# ------------------------------------------------------------------------------------------------ the law

WORDS = st.sampled_from(
    [WORD, "SEC", "RET", "S", "E", "Hello ", "SECRE", "T", "é😀", "", '"\\', "a\nb", "SECSECRET", "中"]
)
TEXTS = st.lists(WORDS, max_size=8)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, dict[tuple[str, Any], str]]:
    """Return a stream of several items at once, and what each part of them says."""
    lines: list[list[bytes]] = []
    texts: dict[tuple[str, Any], str] = {}
    for number in range(draw(st.integers(1, 3))):
        item_id, first = f"msg_{number}", draw(st.sampled_from(["", "Hello SEC"]))
        deltas = draw(TEXTS)
        whole = first + "".join(deltas)
        texts[item_id, 0] = whole
        line = [
            item_event("added", message_item(item_id=item_id)),
            part_event("added", first, item_id),
            *(text_delta(found, item_id) for found in deltas),
        ]
        if draw(st.booleans()):
            line.append(part_event("done", whole, item_id))
        if draw(st.booleans()):
            line.append(item_event("done", message_item(whole, item_id=item_id)))
        lines.append(line)
    values = draw(TEXTS)
    texts["wid_1", "c1"] = "SE" + "".join(values)
    lines.append(
        [
            item_event("added", widget_item(component("SE"))),
            *(value_delta(found, done=draw(st.booleans())) for found in values),
        ]
    )
    data = b""
    while any(lines):
        line = draw(st.sampled_from([found for found in lines if found]))
        data += draw(st.sampled_from([b"", b"", KEEP_ALIVE])) + line.pop(0)
    return data, texts


@settings(max_examples=100, deadline=None)
@given(streams(), st.lists(st.integers(0, 100_000), max_size=30), st.booleans())
async def test_every_part_says_the_scrubbed_whole_however_the_bytes_are_cut(
    stream: tuple[bytes, dict[tuple[str, Any], str]], places: list[int], are_whole_events: bool
) -> None:
    data, texts = stream
    chunks = data.split(b"\n\n") if are_whole_events else cut(data, places)
    chunks = [chunk + b"\n\n" for chunk in chunks[:-1]] if are_whole_events else chunks
    wire = await said(PIIMiddleware(streaming(*chunks), scrubber=FakeScrubber()))
    client = Client(wire.body)
    assert wire.ended
    assert client.texts == {place: mask(text) for place, text in texts.items()}
    assert WORD.encode() not in wire.body
    for found in client.events:
        EVENT.validate_python(found)
    assert wire.body.count(KEEP_ALIVE) == data.count(KEEP_ALIVE)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["Hello", " ", "world", "é😀", '"', "\\", "1"]), max_size=20))
async def test_a_stream_of_which_nothing_is_held_leaves_byte_by_byte(deltas: list[str]) -> None:
    events = [
        event({"type": "stream_options", "stream_options": {"allow_cancel": True}}),
        item_event("added", message_item()),
        *map(text_delta, deltas),
        part_event("done", "".join(deltas)),
        KEEP_ALIVE,
    ]
    wire = await said(PIIMiddleware(streaming(*events), scrubber=FakeScrubber()))
    assert wire.body == b"".join(events)


async def test_a_stream_may_be_cut_at_every_single_byte() -> None:
    data = (
        text_delta("é SE")
        + KEEP_ALIVE
        + text_delta("CRET😀 SEC")
        + item_event("done", message_item("é SECRET😀 SEC"))
    )
    whole = (await said(PIIMiddleware(streaming(data), scrubber=FakeScrubber()))).body
    assert Client(whole).texts == {("msg_1", 0): "é []😀 SEC"}
    one_by_one = streaming(*(bytes([byte]) for byte in data))
    assert (await said(PIIMiddleware(one_by_one, scrubber=FakeScrubber()))).body == whole
    for place in range(len(data)):
        app = PIIMiddleware(streaming(data[:place], data[place:]), scrubber=FakeScrubber())
        assert (await said(app)).body == whole


# ------------------------------------------------------------------------------------------------ ends of a text


ENDS = {
    "part done": part_event("done", "Hello SEC"),
    "item done": item_event("done", message_item("Hello SEC")),
    "item replaced": item_event("replaced", message_item("x")),
    "item removed": event({"type": "thread.item.removed", "item_id": "msg_1"}),
    "error": event({"type": "error", "code": "stream.error"}),
    "part added again": part_event("added", ""),
    "end of the stream": b"",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_is_held_leaves_right_before_the_end_of_its_text(end: bytes) -> None:
    sent = scrubbed(text_delta("Hello SEC"), end)
    assert sent == text_delta("Hello ") + text_delta("SEC") + end


OTHERS = {
    "another item": item_event("done", message_item("x", item_id="msg_2")),
    "another part": part_event("done", "x", index=1),
    "a notice": event({"type": "notice", "level": "info", "message": "x"}),
    "an annotation": updated(
        "msg_1", type="assistant_message.content_part.annotation_added", content_index=0
    ),
    "an update that is none": event({"type": "thread.item.updated", "item_id": "msg_1", "update": 1}),
    "a comment": KEEP_ALIVE,
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_events_do_not_end_a_text(other: bytes) -> None:
    sent = scrubbed(text_delta("SEC"), other, text_delta("RET"))
    assert sent == other + text_delta("[]")


def test_a_widget_begins_with_text_and_goes_on_also_when_a_delta_says_that_it_is_done() -> None:
    item = widget_item(component("SE"), {"type": "Markdown", "id": "c2", "value": "S"})
    sent = scrubbed(item_event("added", item), value_delta("CR", done=True), value_delta("ET.", done=True))
    events = Client(sent).events
    assert [child["value"] for child in events[0]["item"]["widget"]["children"]] == ["", ""]
    assert [found["update"]["delta"] for found in events[1:]] == ["", "[].", "S"]
    assert events[3]["update"] == {
        "type": "widget.streaming_text.value_delta",
        "component_id": "c2",
        "delta": "S",
        "done": True,
    }


@pytest.mark.parametrize(
    "update",
    [
        {"type": "widget.root.updated", "widget": card(component("Hello SE"))},
        {"type": "widget.component.updated", "component_id": "c1", "component": component("Hello SE")},
    ],
    ids=["root", "component"],
)
def test_a_widget_that_is_replaced_begins_again(update: dict[str, Any]) -> None:
    sent = scrubbed(value_delta("S"), updated("wid_1", **update), value_delta("CRET"))
    assert [found["update"].get("delta") for found in Client(sent).events] == ["S", None, "[]"]
    assert b"Hello " in sent


def test_texts_of_a_widget_that_cannot_grow_are_not_held() -> None:
    texts = [{"type": "Text", "value": "SEC"}, {"type": "Title", "id": "t", "value": "S"}]
    added = item_event("added", widget_item(*texts))
    assert scrubbed(added) == added


def test_a_thought_that_is_sent_again_with_each_word_shows_no_beginning_of_what_is_taken_out() -> None:
    sent = scrubbed(
        thought("A SEC", kind="added"), thought("A SECRE"), thought("A SECRET S"), thought("A SECRET S")
    )
    contents = [found["update"]["task"]["content"] for found in Client(sent).events]
    assert contents == ["A ", "A ", "A [] ", "A [] ", "A [] S"]


def test_a_thought_is_complete_before_the_next_one_and_may_begin_anew() -> None:
    sent = scrubbed(thought("A S"), thought("B S", 1), thought("C", 1))
    contents = [
        (found["update"]["task_index"], found["update"]["task"]["content"]) for found in Client(sent).events
    ]
    assert contents == [(0, "A "), (0, "A S"), (1, "B "), (1, "B S"), (1, "C")]


def test_a_thought_that_comes_with_its_workflow_goes_on_by_updates() -> None:
    workflow = {
        "type": "reasoning",
        "tasks": [{"type": "thought", "content": "A S"}, {"type": "custom", "content": "S"}],
    }
    item: dict[str, Any] = {
        **message_item(item_id="wf_1"),
        "type": "workflow",
        "content": [],
        "workflow": workflow,
    }
    events = Client(scrubbed(item_event("added", item))).events
    assert [task["content"] for task in events[0]["item"]["workflow"]["tasks"]] == ["A ", "S"]
    assert events[1]["update"]["task"] == {"type": "thought", "content": "A S"}


def test_a_delta_of_a_type_to_come_has_a_window_as_well() -> None:
    def delta(text: str, row: int = 0, number: int = 0) -> bytes:
        return updated("x_1", type="canvas.text_delta", row_index=row, number=number, delta=text)

    assert scrubbed(delta("SEC"), delta("S", 1), delta("RET", number=1)) == delta("[]", number=1) + delta(
        "S", 1
    )


# ------------------------------------------------------------------------------------------------ what events look like


@pytest.mark.parametrize(
    "odd",
    [
        event({"type": "thread.item.added", "item": {"type": "assistant_message", "content": "SECRET"}}),
        event(
            {"type": "thread.item.added", "item": {"type": "assistant_message", "content": ["SECRET", 1, {}]}}
        ),
        event({"type": "thread.item.added", "item": "SECRET"}),
        event({"type": "thread.item.added", "item": {"workflow": {"tasks": "SECRET"}}}),
        event({"type": "thread.item.updated", "item_id": {"a": "SECRET"}, "update": {"delta": "SECRET"}}),
        event({"type": ["SECRET"], "thread": {"id": ["SECRET"]}}),
        event({"type": "novel", "text": "SECRET", "deep": [{"SECRET": "SECRET"}]}),
        event({"type": "thread.created", "thread": "SECRET"}),
        event(["SECRET"]),
        event("SECRET"),
        b"data: SECRET\n\n",
        b"data: {'SECRET'\ndata: x}\n\n",
        b'data: {"type":"notice","message":"SECRET","message":"x"}\n\n',
        b'data: "x"\nnovel: SECRET\n\n',
        b'data: {"type":"notice","message":"x"}\n: SECRET\nnovel: SECRET\n\n',
        b"data: x\nnovel: SECRET\n\n",
        b": SECRET\n",
        b": SECRET\r: x\n",
        b"novel: SECRET\n\n",
        b"\xef\xbb\xbfdata: SECRET\n\n",
    ],
    ids=repr,
)
def test_events_of_any_form_are_scrubbed_leaf_by_leaf(odd: bytes) -> None:
    sent = scrubbed(odd)
    assert WORD not in sent.decode().replace('"SECRET":', "")


def test_fields_of_the_stream_are_kept_beside_new_data() -> None:
    sent = scrubbed(
        b'id: 7\r\nevent: x\r\ndata: {"type":"notice",\r\ndata: "message":"SECRET"}\r\nretry: 5\r\n\r\n'
    )
    assert sent == b'id: 7\nevent: x\nretry: 5\ndata: {"type":"notice","message":"[]"}\n\n'


def test_escapes_are_read_and_halves_of_a_character_stay_halves() -> None:
    assert scrubbed(b'data: {"type":"notice","message":"\\u0053ECRET"}\n\n') == event(
        {"type": "notice", "message": "[]"}
    )
    sent = scrubbed(b'data: {"type":"notice","message":"SECRET\\ud83d"}\n\n')
    assert sent == b'data: {"type":"notice","message":"[]\\ud83d"}\n\n'


@example([])
@given(st.lists(st.sampled_from(["thread.created", "thread.item.added", "thread.updated"]), max_size=3))
def test_pseudonyms_are_those_of_the_thread(kinds: list[str]) -> None:
    first = [
        event({"type": kind, "thread": {"id": "thr_1"}, "item": {"thread_id": "thr_1"}}) for kind in kinds
    ]
    notice = event({"type": "notice", "message": "SECRET"})
    thread_id = "thr_1" if kinds else "req_1"
    sent = scrubbed(*first, notice, text_delta("SECRET"), thread_id="req_1", scoped=True)
    assert [json.dumps(found).count(f"[{thread_id}]") for found in Client(sent).events[-2:]] == [1, 1]


def test_what_was_found_is_counted_in_open_windows_and_closed_ones() -> None:
    scrubber, reader = EventScrubber(FakeScrubber(), ""), BlockReader()
    for block in reader.feed(text_delta("SECRET") + ENDS["part done"] + text_delta("SECRET SECRET")):
        _result(scrubber.scrub(block))
    assert scrubber.found == {"WORD": 3}
