"""Events to bytes and back: the same however the bytes are cut, and nothing hidden among them."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.server import ChatKitServer
from chatkit.types import (
    ErrorEvent,
    FileAttachment,
    InferenceOptions,
    Page,
    ProgressUpdateEvent,
    StreamOptions,
    StreamOptionsEvent,
    SyncCustomActionResponse,
    Thread,
    ThreadCreatedEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
    UserMessageItem,
    UserMessageTextContent,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from chatkit_prod import ConfigurationError
from chatkit_prod.sse import (
    KEEP_ALIVE,
    ServerSentEvent,
    SSEDecoder,
    WireEncoder,
    created_thread,
    encode,
    error_event,
    is_error,
    is_prelude,
    without_hidden_update,
)
from tests.servers import NOW, ScriptedServer, added, answer, delta, done, hello, hidden_items

THREAD = ThreadMetadata(id="thr_1", created_at=NOW, metadata={"owner": "secret owner"})
USER_MESSAGE = UserMessageItem(
    id="msg_1",
    thread_id="thr_1",
    created_at=NOW,
    content=[UserMessageTextContent(text="Grüße\n\n👋🏽")],
    attachments=[
        FileAttachment(id="atc_1", name="a", mime_type="text/plain", metadata={"owner": "secret owner"})
    ],
    inference_options=InferenceOptions(),
)
CREATED = ThreadCreatedEvent(thread=Thread(id="thr_1", created_at=NOW, items=Page()))
EVENTS: list[ThreadStreamEvent] = [
    CREATED,
    ThreadItemDoneEvent(item=USER_MESSAGE),
    StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=True)),
    added(THREAD),
    delta("Hel"),
    done(THREAD, "Hello"),
    ThreadItemReplacedEvent(item=answer(THREAD, "Hi")),
    ProgressUpdateEvent(text='"type":"sdk_hidden_context"'),
    ErrorEvent(),
]


DUMPS: dict[str, Callable[[BaseModel], str]] = {
    "as chatkit spaces it": lambda event: event.model_dump_json(),
    "as json.dumps does": lambda event: json.dumps(event.model_dump(mode="json")),
    "in another order": lambda event: json.dumps(event.model_dump(mode="json"), sort_keys=True),
}
"""How a server with a `_serialize` of its own may write an event."""


def _wire(*chunks: bytes) -> bytes:
    """Encode the bytes of a server with a `process` of its own."""
    return b"".join(map(WireEncoder(), chunks))


def _of_chatkit(server: ChatKitServer[Any], model: BaseModel) -> bytes:
    return server._serialize(model)  # pyright: ignore[reportPrivateUsage]


# ------------------------------------------------------------------------------------------------ to bytes


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_is_encoded_as_chatkit_does(event: ThreadStreamEvent) -> None:
    expected = b"data: " + _of_chatkit(ScriptedServer(hello), event) + b"\n\n"
    assert encode(event) == _wire(expected) == expected
    assert b"secret owner" not in expected


@pytest.mark.parametrize("kind", [ThreadItemAddedEvent, ThreadItemReplacedEvent, ThreadItemDoneEvent])
@pytest.mark.parametrize("item", hidden_items("thr_1"), ids=lambda item: item.type)
@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_an_event_that_carries_a_hidden_item_is_dropped(
    kind: Callable[..., ThreadStreamEvent], item: BaseModel, dump: Callable[[BaseModel], str]
) -> None:
    event = kind(item=item)
    assert encode(event) == b""
    assert _wire(b"data: " + dump(event).encode() + b"\n\n") == b""


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(
            {"type": "progress_update", "text": '"type":"sdk_hidden_context"'}, id="quoted in a text"
        ),
        pytest.param(
            {"type": "client_effect", "name": "x", "data": {"type": "sdk_hidden_context"}}, id="in data"
        ),
        pytest.param(
            {
                "type": "thread.item.done",
                "item": {"type": "client_tool_call", "arguments": {"type": "hidden_context_item"}},
            },
            id="in arguments",
        ),
    ],
)
def test_an_event_that_only_mentions_a_hidden_item_is_sent(event: dict[str, Any]) -> None:
    chunk = b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
    assert _wire(chunk) == chunk


def test_a_comment_of_a_server_is_sent_with_the_event_behind_it() -> None:
    event = encode(EVENTS[0])
    assert _wire(KEEP_ALIVE, event) == KEEP_ALIVE + event


@pytest.mark.parametrize("kind", [ThreadCreatedEvent, ThreadUpdatedEvent])
@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_a_hidden_item_is_taken_out_of_a_thread_that_is_sent(
    kind: Callable[..., ThreadStreamEvent], dump: Callable[[BaseModel], str]
) -> None:
    items: list[ThreadItem] = [USER_MESSAGE, *hidden_items("thr_1"), answer(THREAD, "Hello")]
    event = kind(thread=Thread(id="thr_1", created_at=NOW, items=Page(data=items)))
    for chunk in (encode(event), _wire(b"data: " + dump(event).encode() + b"\n\n")):
        (sent,) = SSEDecoder().feed(chunk)
        assert [item["id"] for item in sent.json()["thread"]["items"]["data"]] == ["msg_1", "msg_answer"]
        assert "secret" not in chunk.decode().replace("secret owner", "")
    assert len(event.model_dump()["thread"]["items"]["data"]) == 4


WITH_HIDDEN: list[ThreadStreamEvent] = [
    *EVENTS,
    *(ThreadItemAddedEvent(item=item) for item in hidden_items("thr_1")),
    ThreadUpdatedEvent(thread=Thread(id="thr_1", created_at=NOW, items=Page(data=[*hidden_items("thr_1")]))),
]


@given(st.lists(st.sampled_from(WITH_HIDDEN), max_size=6), st.lists(st.integers(0, 2000), max_size=6))
def test_nothing_hidden_leaves_wherever_a_server_cuts_its_stream(
    events: list[ThreadStreamEvent], cuts: list[int]
) -> None:
    server = ScriptedServer(hello)
    stream = b"".join(b"data: " + _of_chatkit(server, event) + b"\n\n" for event in events)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    sent = _wire(*(stream[start:end] for start, end in pairwise(bounds)))
    expected = [decoded.json() for event in events for decoded in SSEDecoder().feed(encode(event))]
    assert [decoded.json() for decoded in SSEDecoder().feed(sent)] == expected


@pytest.mark.parametrize("item", hidden_items("thr_1"), ids=lambda item: item.type)
@pytest.mark.parametrize("spaces", [False, True], ids=["as chatkit spaces it", "as json.dumps does"])
def test_the_answer_of_an_action_does_not_carry_a_hidden_item(item: Any, *, spaces: bool) -> None:
    response = SyncCustomActionResponse(updated_item=item)
    data = json.dumps(response.model_dump(mode="json")) if spaces else response.model_dump_json()
    assert without_hidden_update(data.encode()) == b"{}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{}", id="empty"),
        pytest.param(
            SyncCustomActionResponse(updated_item=USER_MESSAGE).model_dump_json().encode(), id="with an item"
        ),
        pytest.param(b'{"data":[{"type":"sdk_hidden_context"}]}', id="that mentions one elsewhere"),
        pytest.param(b'{"updated_item":null,"x":{"type":"sdk_hidden_context"}}', id="without an item"),
        pytest.param(b'[{"type":"sdk_hidden_context"}]', id="that is a list"),
    ],
)
def test_any_other_answer_is_left_alone(data: bytes) -> None:
    assert without_hidden_update(data) == data


ERRORS: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "none": (error_event, {"code": "stream.error", "allow_retry": True}),
    "any": (lambda: error_event(ValueError("secret")), {"code": "stream.error", "allow_retry": True}),
    "final": (lambda: error_event(allow_retry=False), {"code": "stream.error", "allow_retry": False}),
    "message": (
        lambda: error_event(message="Bye."),
        {"code": "custom", "message": "Bye.", "allow_retry": True},
    ),
    "final message": (
        lambda: error_event(message="Bye.", allow_retry=False),
        {"code": "custom", "message": "Bye.", "allow_retry": False},
    ),
    "custom": (
        lambda: error_event(CustomStreamError("Non.", allow_retry=True)),
        {"code": "custom", "message": "Non.", "allow_retry": True},
    ),
    "stream error": (
        lambda: error_event(StreamError(ErrorCode.STREAM_ERROR, allow_retry=False)),
        {"code": "stream.error", "allow_retry": False},
    ),
    "a code to come": (
        lambda: error_event(StreamError(cast("ErrorCode", "quota.exceeded"), allow_retry=False)),
        {"code": "quota.exceeded", "allow_retry": False},
    ),
}


@pytest.mark.parametrize(("make", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_event_that_the_client_understands(
    make: Callable[[], bytes], expected: dict[str, Any]
) -> None:
    (event,) = SSEDecoder().feed(make())
    assert event.json() == {"type": "error", **expected}
    assert is_error(make())


@pytest.mark.parametrize("of_the_app", [True, False], ids=["of the app", "of ours"])
def test_an_error_with_a_text_that_is_no_unicode_is_still_an_event(*, of_the_app: bool) -> None:
    text = "half a \ud83d"
    chunk = error_event(CustomStreamError(text)) if of_the_app else error_event(message=text)
    (event,) = SSEDecoder().feed(chunk)
    assert event.json()["code"] == "custom"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_what_comes_before_respond_is_told_from_what_comes_after(event: ThreadStreamEvent) -> None:
    chunk = encode(event)
    assert is_prelude(chunk) == (event in EVENTS[:2])
    assert is_error(chunk) == (event is EVENTS[-1])
    assert created_thread(chunk + encode(EVENTS[1])) == ("thr_1" if event is CREATED else None)


def test_a_thread_that_is_updated_does_not_count_as_created() -> None:
    assert created_thread(encode(ThreadUpdatedEvent(thread=CREATED.thread))) is None


def test_nothing_announces_no_thread() -> None:
    assert created_thread(b"") is None


# ------------------------------------------------------------------------------------------------ to events

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
FIELDS = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"unknown", b"data2"])
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=4).map(
    str.encode
)


def _line(name: bytes, colon: bytes, value: bytes) -> bytes:
    return name + (colon + value if colon else b"")


def _stream(mark: bytes, lines: list[tuple[bytes, bytes]]) -> bytes:
    return mark + b"".join(line + end for line, end in lines)


COLONS = st.sampled_from([b"", b":", b": "])
LINES = st.just(b"") | st.builds(_line, FIELDS, COLONS, VALUES)
MARKS = st.sampled_from([b"", b"\xef\xbb\xbf"])
STREAMS = st.builds(_stream, MARKS, st.lists(st.tuples(LINES, LINE_ENDS), max_size=12))


def _naive(stream: bytes) -> list[ServerSentEvent]:
    """Decode a whole stream, line by line, as the HTML standard words it (§9.2.6)."""
    text = stream.decode().removeprefix("\ufeff")
    *lines, _ = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[ServerSentEvent] = []
    data, kind, last_id = "", "", ""
    for line in lines:
        if line == "":
            if data:
                events.append(ServerSentEvent(data[:-1], kind or "message", last_id))
            data, kind = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


@given(STREAMS)
def test_a_stream_is_decoded_as_the_standard_words_it(stream: bytes) -> None:
    # A carriage return at the very end may belong to a line feed that is still to come.
    assert SSEDecoder().feed(stream + b"\n:") == _naive(stream + b"\n:")


@given(STREAMS)
def test_a_stream_that_is_cut_at_any_byte_gives_the_same_events(stream: bytes) -> None:
    whole = SSEDecoder().feed(stream)
    for cut in range(len(stream) + 1):
        decoder = SSEDecoder()
        assert decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) == whole
    bytewise = SSEDecoder()
    assert [
        event for index in range(len(stream)) for event in bytewise.feed(stream[index : index + 1])
    ] == whole


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_every_text_survives_the_wire(texts: list[str]) -> None:
    stream = b"".join(encode(ProgressUpdateEvent(text=text)) + KEEP_ALIVE for text in texts)
    assert [event.json()["text"] for event in SSEDecoder().feed(stream)] == texts


def test_a_comment_is_no_message() -> None:
    assert SSEDecoder().feed(KEEP_ALIVE + b"data: 1\n\n") == [ServerSentEvent("1")]
    assert not KEEP_ALIVE.endswith(b"\n\n")


@pytest.mark.parametrize("size", [1, 7, 100])
def test_an_event_that_never_ends_is_given_up_at_the_limit(size: int) -> None:
    decoder = SSEDecoder(max_event_bytes=100)
    line = b"data: " + b"x" * size
    for _ in range(100 // len(line)):
        assert decoder.feed(line + b"\n") == []
    with pytest.raises(ValueError, match="larger than max_event_bytes"):
        decoder.feed(line + b"\n")


def test_a_line_that_never_ends_is_given_up_at_the_limit() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    assert decoder.feed(b"data: 1234") == []
    with pytest.raises(ValueError, match="larger than max_event_bytes"):
        decoder.feed(b"5")


def test_the_limit_is_for_one_event_and_not_for_the_stream() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    assert len([event for _ in range(100) for event in decoder.feed(b"data: 1234\n\n")]) == 100


def test_a_stream_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        SSEDecoder().feed(b"data: \xff\n\n")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(limit: int) -> None:
    with pytest.raises(ConfigurationError, match="max_event_bytes must be positive"):
        SSEDecoder(max_event_bytes=limit)


def test_a_server_may_end_its_lines_as_http_does() -> None:
    encode = WireEncoder()
    assert [encode(b'data: {"type":"notice"}\r'), encode(b"\n\r"), encode(b"\ndata: ")] == [
        b"",
        b"",
        b'data: {"type":"notice"}\n\n',
    ]
