"""What is kept of a page's events, and what is not."""

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError
from chatkit_prod.tracing import names
from chatkit_prod.tracing.client_event import (
    EVENT_NAME,
    FIELDS,
    SESSION,
    TRACEPARENT,
    ClientBatch,
    ClientEvent,
    parse_batch,
)

SESSION_ID = "0123456789abcdef0123456789abcdef"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = 1_767_225_600_000

DATA: dict[str, Any] = {
    "thread_id": "thr_1",
    "item_id": "msg_1",
    "attachment_id": "att_1",
    "request_id": "0af7651916cd43dd",
    "code": "stream.error",
    "error": "TypeError",
    "status": 502,
    "duration_ms": 1234,
}
EVENT: dict[str, Any] = {"name": "chatkit.error", "time": NOW, "traceparent": PARENT, "data": DATA}


def parse(*events: Any, **more: Any) -> ClientBatch:
    body = {"session": SESSION_ID, "events": list(events), **more}
    return parse_batch(json.dumps(body).encode(), max_events=100)


def only(event: Any) -> ClientEvent:
    (found,) = parse(event).events
    return found


def test_everything_that_the_table_names_is_kept_under_the_name_of_telemetry() -> None:
    event = only(EVENT)
    assert (event.kind, event.name, event.time, event.traceparent) == ("error", "chatkit.error", NOW, PARENT)
    assert event.fields == {
        names.CONVERSATION_ID: "thr_1",
        names.ITEM_ID: "msg_1",
        names.ATTACHMENT_ID: "att_1",
        names.REQUEST_ID: "0af7651916cd43dd",
        names.CLIENT_CODE: "stream.error",
        names.ERROR_TYPE: "TypeError",
        names.HTTP_STATUS: 502,
        names.CLIENT_DURATION: 1234,
    }
    assert DATA.keys() == FIELDS.keys()


def test_an_event_of_another_name_is_a_log() -> None:
    assert only({"name": "composer.submit"}).kind == "log"


@pytest.mark.parametrize("name", [None, 1, "", "Hello there", "composer submit", "a" * 65, "1st", "é", "a\n"])
def test_an_event_without_a_name_that_one_could_have_is_left_behind_and_counted(name: Any) -> None:
    batch = parse({**EVENT, "name": name}, EVENT)
    assert (len(batch.events), batch.malformed, batch.size) == (1, 1, 2)


@pytest.mark.parametrize("event", [None, 1, "text", ["name"], {}])
def test_what_is_no_event_is_left_behind_and_counted(event: Any) -> None:
    batch = parse(event)
    assert (batch.events, batch.malformed) == ((), 1)


BAD_VALUES: list[Any] = [
    None,
    True,
    [],
    {},
    "",
    "two words",
    "ünï",
    "a\n",
    "x" * 200,
    -1,
    1.5,
    2**60,
    float("nan"),
]


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_does_not_look_as_it_should_is_left_behind(field: str, value: Any) -> None:
    event = only({**EVENT, "data": {**DATA, field: value}})
    assert event.fields.keys() == {found.attribute for name, found in FIELDS.items() if name != field}


@pytest.mark.parametrize("data", [None, [], "thread_id", 1])
def test_data_that_is_no_object_has_no_fields(data: Any) -> None:
    assert only({**EVENT, "data": data}).fields == {}


@pytest.mark.parametrize("time", BAD_VALUES, ids=lambda value: repr(value)[:12])
def test_a_time_that_is_none_is_left_behind(time: Any) -> None:
    assert only({**EVENT, "time": time}).time is None


@pytest.mark.parametrize(
    "parent", [None, 1, "", PARENT + "-x", PARENT.upper(), "01" + PARENT[2:], PARENT[:-1], " " + PARENT]
)
def test_a_traceparent_that_is_none_is_left_behind(parent: Any) -> None:
    assert only({**EVENT, "traceparent": parent}).traceparent is None


@pytest.mark.parametrize(
    ("said", "lost"), [(0, 0), (7, 7), (10_001, 0), (-1, 0), ("7", 0), (None, 0), (7.5, 0)]
)
def test_what_the_page_has_lost_is_believed_within_bounds(said: Any, lost: int) -> None:
    assert parse(lost=said).lost == lost


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b'"text"',
        b"1" * 5000,
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        json.dumps({"events": []}).encode(),
        json.dumps({"session": SESSION_ID}).encode(),
        json.dumps({"session": SESSION_ID, "events": {}}).encode(),
        json.dumps({"session": SESSION_ID.upper(), "events": []}).encode(),
        json.dumps({"session": SESSION_ID + "\n", "events": []}).encode(),
        json.dumps({"session": 1, "events": []}).encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_batch(body, max_events=10)


def test_a_batch_of_more_events_than_allowed_is_refused_whole() -> None:
    body = json.dumps({"session": SESSION_ID, "events": [EVENT] * 3}).encode()
    assert parse_batch(body, max_events=3).size == 3
    with pytest.raises(ContentTooLargeError, match="max_events"):
        parse_batch(body, max_events=2)


# ------------------------------------------------------------------------------------------------ nothing else


def texts_of(batch: ClientBatch) -> list[str]:
    found = [batch.session]
    for event in batch.events:
        values = [event.name, event.traceparent, *event.fields.values()]
        found += [value for value in values if isinstance(value, str)]
    return found


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
FIELD_NAMES = st.sampled_from(sorted(FIELDS))
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.from_regex(EVENT_NAME, fullmatch=True) | JSON_VALUES,
        "time": st.integers() | JSON_VALUES,
        "traceparent": st.from_regex(TRACEPARENT, fullmatch=True) | JSON_VALUES,
        "data": st.dictionaries(FIELD_NAMES | st.text(max_size=12), JSON_VALUES | st.text(max_size=150))
        | JSON_VALUES,
        "message": st.text(max_size=20),
    },
)
ALLOWED = [
    SESSION,
    EVENT_NAME,
    TRACEPARENT,
    *(field.allowed for field in FIELDS.values() if isinstance(field.allowed, re.Pattern)),
]


@given(st.lists(EVENTS | JSON_VALUES, max_size=6), JSON_VALUES)
def test_whatever_arrives_no_text_is_kept_that_no_pattern_allows(events: list[Any], lost: Any) -> None:
    batch = parse(*events, lost=lost)
    assert batch.size == len(events)
    for text in texts_of(batch):
        assert any(pattern.fullmatch(text) for pattern in ALLOWED), text
    attributes = {field.attribute for field in FIELDS.values()}
    assert all(event.fields.keys() <= attributes for event in batch.events)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_batch_or_refused(body: bytes) -> None:
    try:
        parse_batch(body, max_events=10)
    except InvalidRequestError:
        return


def test_of_an_event_full_of_secrets_only_what_the_table_names_is_kept() -> None:
    secret = "CANARY two words"
    loud = {
        **EVENT,
        "message": secret,
        "error": {"message": secret, "stack": secret},
        "data": {
            **DATA,
            "text": [{"text": secret}],
            "title": secret,
            "arguments": secret,
            "message": "CANARY",
        },
    }
    assert only(loud) == only(EVENT)


@dataclass(frozen=True, slots=True)
class Result:
    text: str


class Shouting:
    """A scrubber that leaves a trace on everything it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def scrub(self, text: str, /) -> Result:
        self.given.append(text)
        return Result(f"[{len(self.given)}]")


def test_every_text_that_is_kept_is_what_the_scrubber_has_left_of_it() -> None:
    scrubber = Shouting()
    body = json.dumps({"session": SESSION_ID, "events": [EVENT]}).encode()
    batch = parse_batch(body, max_events=1, scrubber=scrubber)
    kept = [value for value in DATA.values() if isinstance(value, str)]
    assert sorted(scrubber.given) == sorted([*kept, "chatkit.error"])
    assert batch.events[0].kind == "error"
    untouched = {SESSION_ID, PARENT}
    assert all(re.fullmatch(r"\[\d+\]", text) for text in texts_of(batch) if text not in untouched)


# ------------------------------------------------------------------------------------------------ the page


def test_the_page_and_the_server_have_one_list() -> None:
    module = files("chatkit_prod.tracing.browser").joinpath("chatkit-prod.js").read_text()
    constants = dict(re.findall(r"^const ([A-Z_]+) = /\^(.*)\$/;$", module, re.MULTILINE))
    (table,) = re.findall(r"^const TEXTS = \{$(.*?)^\};$", module, re.MULTILINE | re.DOTALL)
    texts = dict(re.findall(r"^  (\w+): (.*),$", table, re.MULTILINE))
    patterns = {name: constants.get(said, said[2:-2]) for name, said in texts.items()}
    (table,) = re.findall(r"^const NUMBERS = \{$(.*?)^\};$", module, re.MULTILINE | re.DOTALL)
    numbers = {
        name: tuple(json.loads(said)) for name, said in re.findall(r"^  (\w+): (.*),$", table, re.MULTILINE)
    }
    ours = {
        name: field.allowed.pattern if isinstance(field.allowed, re.Pattern) else field.allowed
        for name, field in FIELDS.items()
    }
    assert patterns | numbers == ours
    for name, pattern in {"EVENT_NAME": EVENT_NAME, "SESSION": SESSION, "TRACEPARENT": TRACEPARENT}.items():
        assert constants[name] == pattern.pattern
