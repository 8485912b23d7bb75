"""What somebody tried who wanted personal data to get through, or a process to stand still."""

import json
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.pii import (
    Finding,
    PIIMiddleware,
    Scrubber,
    ScrubbingLogRecordProcessor,
)
from chatkit_prod.pii.detectors.contact import CONTACT
from chatkit_prod.pii.keys import Keys
from chatkit_prod.pii.leaves import UNBOUNDED, UNSCRUBBED, Leaves
from tests.pii.fakes import SSE, WORD, FakeScrubber, said

pytestmark = pytest.mark.anyio

SCRUBBER = Scrubber(action="label")
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"a": f"Hi\n{CARD}"}),
        json.dumps({"a": "Hi\tbob@example.com"}),
        json.dumps({"a": {"b": json.dumps("\rDE89370400440532013000")}}),
        "-----BEGIN PRIVATE KEY-----\\n" + "QUJD" * 9 + "\\n-----END",
    ],
    ids=["card", "address", "twice", "key"],
)
def test_the_letter_of_an_escape_is_no_part_of_a_word(text: str) -> None:
    scrubbed = SCRUBBER.scrub(text)
    assert len(scrubbed.findings) == 1
    assert "111" not in scrubbed.text
    assert "bob" not in scrubbed.text
    assert "QUJD" not in scrubbed.text
    stream = SCRUBBER.stream()
    assert "".join(map(stream.feed, text)) + stream.finish() == scrubbed.text
    if text.startswith("{"):
        json.loads(scrubbed.text)


def test_an_address_in_a_url_is_one_too() -> None:
    assert (
        SCRUBBER.scrub("https://example.com/?e=bob%40example.com&n=1").text
        == "https://example.com/?e=[EMAIL]&n=1"
    )


def test_names_of_which_the_same_is_left_are_told_apart_without_a_walk_through_all_of_them() -> None:
    calls = 0

    class Counting(str):
        __slots__ = ()

        def __hash__(self) -> int:
            nonlocal calls
            calls += 1
            return super().__hash__()

    clean = Leaves(lambda text: Counting("[EMAIL]") if "@" in text else text, bounds=UNBOUNDED).value(
        {f"a{number}@example.com": number for number in range(500)}
    )
    assert sorted(clean.values()) == list(range(500))
    assert len(clean) == 500
    assert calls < 500 * 10


def test_the_name_of_a_value_that_is_long_is_not_remembered() -> None:
    keys = Keys()
    assert keys.rule("x" * 5_000 + ".password") == "deny"
    assert keys.rule("x" * 5_000) is None
    assert keys.rule("password") == "deny"


def test_half_of_a_surrogate_pair_in_a_scope_is_no_failure() -> None:
    scrubber = Scrubber(action="pseudonym", key=b"k" * 16)
    assert scrubber.scrub("bob@example.com", scope="\ud83d").text.startswith("[EMAIL_")


class Neighbours:
    """Takes the word in front of a marker for a name, and the marker with it."""

    name = "neighbours"

    def find(self, sentence: str, /) -> list[Finding]:
        start = sentence.find("John")
        return [Finding("PERSON", start, len(sentence), self.name)] if start >= 0 else []


@pytest.mark.parametrize("text", ["Mail John Smith bob@example.com", "Mail John bob@example.com now, Smith"])
def test_a_name_that_is_found_together_with_a_marker_is_taken_out_all_the_same(text: str) -> None:
    scrubbed = Scrubber([*CONTACT, Neighbours()], action="label").scrub(text)
    assert "John" not in scrubbed.text
    assert "Smith" not in scrubbed.text
    assert "[EMAIL]" in scrubbed.text
    assert [text[found.start : found.end] for found in scrubbed.findings if found.type == "EMAIL"] == [
        "bob@example.com"
    ]


class Overlapping:
    """Finds two names of which each has a part of the other; nothing in a line without them."""

    name = "overlapping"

    def find(self, sentence: str, /) -> list[Finding]:
        start = sentence.find("Anna Lena")
        if start < 0:
            return []
        return [
            Finding("PERSON", start + 5, start + 14, self.name),
            Finding("PERSON", start, start + 9, self.name),
        ]


def test_names_that_overlap_are_one_and_what_is_found_inside_of_a_marker_is_none() -> None:
    scrubber = Scrubber([*CONTACT, Overlapping()], action="label")
    assert scrubber.scrub("I am Anna Lena Berg.\n").text == "I am [PERSON].\n"
    marked = Scrubber([*CONTACT, Inside()], action="label").scrub("bob@example.com here")
    assert (marked.text, len(marked.findings)) == ("[EMAIL] here", 1)


class Inside:
    """Takes what stands within a marker for a name, and white space for another."""

    name = "inside"

    def find(self, sentence: str, /) -> list[Finding]:
        return [Finding("PERSON", 1, 6, self.name), Finding("PERSON", 7, 8, self.name)]


def saying(head: Message | None, *bodies: Message) -> Any:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in (head, *bodies):
            if message is not None:
                await send(message)

    return app


def start(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


BODY: Message = {"type": "http.response.body", "body": json.dumps({"a": WORD}).encode()}


@pytest.mark.parametrize(
    "head",
    [
        None,
        start((b"content-type", b"text/plain"), SSE),
        start((b"content-type", b"application/x-ndjson")),
        start((b"content-type", b"application/jsonl; charset=utf-8")),
        start((b"content-type", b"application/json-seq")),
        start((b"content-type", b"application/json"), (b"content-encoding", b"gzip")),
    ],
    ids=["a body without a head", "two types", "ndjson", "jsonl", "json-seq", "compressed"],
)
async def test_an_answer_that_cannot_be_read_does_not_leave(head: Message | None) -> None:
    app = PIIMiddleware(
        saying(head, BODY, {"type": "http.response.body"}), scrubber=FakeScrubber(), requests="off"
    )
    response = await said(app)
    assert response.status == 500
    assert WORD.encode() not in response.body


@pytest.mark.parametrize(
    "head", [start(), start((b"content-type", b"text/json"))], ids=["no type", "text/json"]
)
async def test_an_answer_that_may_be_json_is_read_as_json(head: Message) -> None:
    app = PIIMiddleware(saying(head, BODY), scrubber=FakeScrubber(), requests="off")
    assert (await said(app)).body == b'{"a":"[]"}'


async def test_an_answer_without_a_type_that_is_no_json_leaves_as_it_is() -> None:
    bodies: list[Message] = [
        {"type": "http.response.body", "body": b"O", "more_body": True},
        {"type": "http.response.body", "body": b"K"},
    ]
    app = PIIMiddleware(saying(start(), *bodies), scrubber=FakeScrubber(), requests="off")
    assert (await said(app)).body == b"OK"


async def test_an_answer_without_a_type_or_a_body_leaves_as_it_is() -> None:
    empty: Message = {"type": "http.response.body", "body": b""}
    app = PIIMiddleware(saying({**start(), "status": 204}, empty), scrubber=FakeScrubber(), requests="off")
    assert (await said(app)).status == 204


async def test_a_delta_that_is_no_text_is_no_reason_to_end_a_stream() -> None:
    text = (
        'data: {"type":"thread.item.updated","item_id":"msg_1","update":'
        '{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":%s}}\n\n'
    )
    bodies: list[Message] = [
        {"type": "http.response.body", "body": (text % delta).encode(), "more_body": True}
        for delta in ('"Hi"', "null", '"!"')
    ]
    app = PIIMiddleware(
        saying(start(SSE), *bodies, {"type": "http.response.body", "body": b""}),
        scrubber=FakeScrubber(),
        requests="off",
    )
    assert b"error" not in (await said(app)).body


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("bob@example.com")


def test_a_record_whose_body_cannot_be_shown_is_no_failure_of_who_logs() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(
        ScrubbingLogRecordProcessor(SimpleLogRecordProcessor(exporter), scrubber=SCRUBBER)
    )
    body: Any = Broken()
    provider.get_logger("app").emit(body=body)
    (found,) = exporter.get_finished_logs()
    assert found.log_record.body == UNSCRUBBED
