"""Every request type is known by its name, what it names is known, and what is over a limit is refused."""

import base64
import json
from collections.abc import Callable
from gettext import NullTranslations
from typing import Any

import pytest
from chatkit.types import ThreadsListReq
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, operation
from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError, RequestError
from chatkit_prod.nesting import nesting
from chatkit_prod.operation import Limits, operation_names, parse
from chatkit_prod.testing import chatkit_request, one_of_each, user_message

LIMITS = Limits()
CANARY = "canary <not an id>"


def _errors(body: bytes, limits: Limits = LIMITS) -> list[dict[str, Any]]:
    with pytest.raises(InvalidRequestError) as caught:
        parse(body, limits)
    return [dict(error) for error in caught.value.errors]


def _too_large(body: bytes, limits: Limits) -> ContentTooLargeError:
    with pytest.raises(ContentTooLargeError) as caught:
        parse(body, limits)
    return caught.value


def _limit(body: bytes, limits: Limits) -> str:
    return _too_large(body, limits).limit


# ------------------------------------------------------------------------------------------------ what is known


@pytest.mark.parametrize(("name", "body"), one_of_each().items(), ids=one_of_each())
def test_a_request_keeps_its_name_its_bytes_and_its_kind(name: str, body: bytes) -> None:
    parsed = parse(body, LIMITS)
    assert (parsed.name, parsed.body, parsed.request.type) == (name, body, name)


NAMED: dict[str, tuple[str | None, tuple[str, ...], tuple[str, ...]]] = {
    "threads.create": (None, (), ()),
    "threads.add_user_message": ("thr_7", (), ()),
    "threads.add_client_tool_output": ("thr_7", (), ()),
    "threads.add_structured_input": ("thr_7", ("msg_7",), ()),
    "threads.retry_after_item": ("thr_7", ("msg_7",), ()),
    "threads.custom_action": ("thr_7", (), ()),
    "threads.sync_custom_action": ("thr_7", (), ()),
    "threads.get_by_id": ("thr_7", (), ()),
    "threads.list": (None, (), ()),
    "threads.update": ("thr_7", (), ()),
    "threads.delete": ("thr_7", (), ()),
    "items.list": ("thr_7", (), ()),
    "items.feedback": ("thr_7", ("msg_7",), ()),
    "attachments.create": (None, (), ()),
    "attachments.delete": (None, (), ("atc_7",)),
    "input.transcribe": (None, (), ()),
}


@pytest.mark.parametrize("name", NAMED)
def test_every_id_that_a_request_names_is_reported(name: str) -> None:
    body = one_of_each(thread_id="thr_7", item_id="msg_7", attachment_id="atc_7")[name]
    parsed = parse(body, LIMITS)
    assert (parsed.thread_id, parsed.item_ids, parsed.attachment_ids) == NAMED[name]


def test_the_table_above_is_complete() -> None:
    assert set(NAMED) == operation_names()


@pytest.mark.parametrize("name", ["threads.custom_action", "threads.sync_custom_action"])
def test_the_sender_of_an_action_is_reported(name: str) -> None:
    body = chatkit_request(name, thread_id="thr_7", item_id="wid_7", action={"type": "open"})
    assert parse(body, LIMITS).item_ids == ("wid_7",)


@pytest.mark.parametrize(
    "params", [{}, {"thread_id": "thr_7"}], ids=["threads.create", "threads.add_user_message"]
)
def test_the_attachments_of_a_message_are_reported(params: dict[str, str]) -> None:
    name = "threads.add_user_message" if params else "threads.create"
    body = chatkit_request(name, **params, input=user_message("Hello", attachments=["atc_1", "atc_2"]))
    assert parse(body, LIMITS).attachment_ids == ("atc_1", "atc_2")


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("body", "loc", "message"),
    [
        pytest.param(b"", [], "Invalid JSON", id="empty"),
        pytest.param(b"{", [], "Invalid JSON", id="cut off"),
        pytest.param(b"\xff", [], "Invalid JSON", id="no unicode"),
        pytest.param(b"[]", [], "an object", id="a list"),
        pytest.param(b"{}", [], "Unable to extract tag", id="no type"),
        pytest.param(b'{"type": "%b"}' % CANARY.encode(), [], "not supported", id="unknown type"),
        pytest.param(
            b'{"type": "threads.list"}', ["threads.list", "params"], "Field required", id="no params"
        ),
        pytest.param(
            b'{"type": "threads.list", "params": {"order": "%b"}}' % CANARY.encode(),
            ["threads.list", "params", "order"],
            "'asc' or 'desc'",
            id="not one of the values",
        ),
        pytest.param(
            chatkit_request(
                "threads.add_structured_input",
                thread_id="thr_1",
                item_id="msg_1",
                input={"answers": {CANARY: {"values": ["x", 1]}}},
            ),
            ["threads.add_structured_input", "params", "input", "answers", "*", "values", 1],
            "valid string",
            id="a key that the client chose",
        ),
        pytest.param(
            b'{"type": "threads.list", "params": {"after": "\\ud800"}}', [], "Invalid JSON", id="surrogate"
        ),
        pytest.param(b'{"type": "threads.list", "params": ' + b"[" * 500, [], "Invalid JSON", id="recursion"),
    ],
)
def test_an_invalid_body_is_described_without_a_word_of_it(
    body: bytes, loc: list[str | int], message: str
) -> None:
    (error,) = _errors(body)
    assert error["loc"] == loc
    assert message in error["msg"]
    assert set(error) == {"loc", "msg"}
    assert CANARY not in json.dumps(error)


@pytest.mark.parametrize(("wrong", "listed"), [(100, 100), (101, 1), (10_000, 1)])
def test_a_body_with_many_errors_is_described_by_their_number(wrong: int, listed: int) -> None:
    body = chatkit_request("items.feedback", thread_id="thr_1", item_ids=[1] * wrong, kind="positive")
    errors = _errors(body)
    assert len(errors) == listed
    assert (errors == [{"loc": [], "msg": f"There are {wrong} errors."}]) == (listed == 1)


def test_a_request_type_that_we_do_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    named: dict[Any, Any] = operation._NAMED  # pyright: ignore[reportPrivateUsage]
    monkeypatch.delitem(named, ThreadsListReq)
    assert _errors(one_of_each()["threads.list"]) == [
        {"loc": ["type"], "msg": "This request type is not supported."}
    ]


IDS: dict[str, Callable[[str], bytes]] = {
    "thread_id": lambda found: one_of_each(thread_id=found)["threads.get_by_id"],
    "item_id": lambda found: one_of_each(item_id=found)["threads.retry_after_item"],
    "item_ids": lambda found: one_of_each(item_id=found)["items.feedback"],
    "attachment_id": lambda found: one_of_each(attachment_id=found)["attachments.delete"],
    "attachments": lambda found: chatkit_request(
        "threads.create", input=user_message("", attachments=["a", found])
    ),
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    "found",
    [
        "",
        " ",
        ".",
        "..",
        ".a",
        "../a",
        "a/b",
        "a b",
        "a\n",
        "a\0",
        "é",
        "a" * 129,
        CANARY,
        "a'--",
        "a%00",
        "a\u202eb",
    ],
    ids=ascii,
)
def test_an_id_that_no_store_could_have_made_is_refused(name: str, found: str) -> None:
    (error,) = _errors(IDS[name](found))
    assert error["loc"] == ["params"]


def test_an_answer_to_a_question_that_cannot_be_one_is_refused_because_chatkit_would_log_it() -> None:
    answers = {"q1": {"values": ["yes"]}, CANARY: {"values": ["yes"]}}
    body = chatkit_request(
        "threads.add_structured_input", thread_id="a", item_id="b", input={"answers": answers}
    )
    (error,) = _errors(body)
    assert error["loc"] == ["params"]


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    "found", ["a", "thr_1", "a" * 128, "A.b", "a:b~c=d-e_f", "=", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"]
)
def test_an_id_that_a_store_could_have_made_is_taken(name: str, found: str) -> None:
    parsed = parse(IDS[name](found), LIMITS)
    assert found in (parsed.thread_id, *parsed.item_ids, *parsed.attachment_ids)


# ------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", None, True], ids=repr)
def test_a_limit_that_is_no_positive_integer_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a positive integer"):
        Limits(**{name: value})


MESSAGE = user_message("äö", quoted_text="ü")
TAG: dict[str, Any] = {"type": "input_tag", "id": "t", "text": "ß", "data": {}}
TEXTS: dict[str, tuple[bytes, int]] = {
    "a new message": (chatkit_request("threads.create", input=MESSAGE), 3),
    "a message": (chatkit_request("threads.add_user_message", thread_id="thr_1", input=MESSAGE), 3),
    "a tag": (chatkit_request("threads.create", input=MESSAGE | {"content": [TAG, TAG]}), 3),
    "a form": (
        chatkit_request(
            "threads.add_structured_input",
            thread_id="thr_1",
            item_id="msg_1",
            input={"answers": {"q1": {"values": ["ä"]}, "q2": {"values": ["ö", "ü"]}}},
        ),
        3,
    ),
    "a title": (chatkit_request("threads.update", thread_id="thr_1", title="äöü"), 3),
}


@pytest.mark.parametrize(("body", "size"), TEXTS.values(), ids=TEXTS)
def test_all_text_of_a_request_counts_in_characters(body: bytes, size: int) -> None:
    parse(body, Limits(max_text_characters=size))
    assert _limit(body, Limits(max_text_characters=size - 1)) == "max_text_characters"


@pytest.mark.parametrize("body", [body for body, _ in TEXTS.values()], ids=TEXTS)
@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (1, "Your message is too long. It can have at most 1 character."),
        (2, "Your message is too long. It can have at most 2 characters."),
    ],
    ids=["one", "two"],
)
def test_who_writes_too_much_is_told_how_much_they_may(body: bytes, limit: int, text: str) -> None:
    refusal = _too_large(body, Limits(max_text_characters=limit))
    assert refusal.count == limit
    assert refusal.text(NullTranslations()) == text


@pytest.mark.parametrize("name", ["threads.create", "threads.add_user_message"])
@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (1, "A message can have at most 1 attachment."),
        (2, "A message can have at most 2 attachments."),
    ],
    ids=["one", "two"],
)
def test_who_attaches_too_much_is_told_how_much_they_may(name: str, limit: int, text: str) -> None:
    thread = {} if name == "threads.create" else {"thread_id": "thr_1"}
    body = chatkit_request(name, **thread, input=user_message("", attachments=["a", "b", "c"]))
    refusal = _too_large(body, Limits(max_attachments=limit))
    assert refusal.count == limit
    assert refusal.text(NullTranslations()) == text


@pytest.mark.parametrize("name", ["threads.create", "threads.add_user_message"])
def test_a_message_has_so_many_attachments_and_no_more(name: str) -> None:
    thread = {} if name == "threads.create" else {"thread_id": "thr_1"}
    body = chatkit_request(name, **thread, input=user_message("", attachments=["a", "b", "c"]))
    parse(body, Limits(max_attachments=3))
    assert _limit(body, Limits(max_attachments=2)) == "max_attachments"


def test_the_items_of_a_feedback_are_limited() -> None:
    body = chatkit_request(
        "items.feedback", thread_id="thr_1", item_ids=[f"msg_{n}" for n in range(3)], kind="positive"
    )
    parse(body, Limits(max_item_ids=3))
    assert _limit(body, Limits(max_item_ids=2)) == "max_item_ids"


@pytest.mark.parametrize("size", range(7))
def test_a_dictation_counts_in_bytes_after_decoding(size: int) -> None:
    audio = base64.b64encode(b"x" * size).decode()
    body = chatkit_request("input.transcribe", audio_base64=audio, mime_type="audio/webm")
    parse(body, Limits(max_audio_bytes=max(size, 1)))
    if size > 1:
        assert _limit(body, Limits(max_audio_bytes=size - 1)) == "max_audio_bytes"


@pytest.mark.parametrize(
    "audio",
    ["A", "AA", "AAA", "AA=A", "AAAA=", "AAAA====", "AA==AA==", "AA A", "AA\nAA", "-_-_", "é", "====", "!"],
)
def test_a_dictation_that_is_no_strict_base64_is_refused(audio: str) -> None:
    body = chatkit_request("input.transcribe", audio_base64=audio, mime_type="audio/webm")
    assert _errors(body) == [{"loc": ["params", "audio_base64"], "msg": "This is not base64."}]


@pytest.mark.parametrize("name", ["threads.list", "items.list"])
@pytest.mark.parametrize(
    ("asked", "given_"), [(1, 1), (100, 100), (101, 100), (10**30, 100), (0, 0), (None, None)]
)
def test_a_page_is_cut_to_its_limit(name: str, asked: int | None, given_: int | None) -> None:
    thread = {"thread_id": "thr_1"} if name == "items.list" else {}
    parsed = parse(chatkit_request(name, **thread, limit=asked, order="asc", after="x"), LIMITS)
    for params in (parsed.request.params.model_dump(), json.loads(parsed.body)["params"]):
        assert params == {**thread, "limit": given_, "order": "asc", "after": "x"}


@pytest.mark.parametrize("name", ["threads.list", "items.list"])
def test_a_page_of_a_negative_size_is_refused(name: str) -> None:
    thread = {"thread_id": "thr_1"} if name == "items.list" else {}
    assert _errors(chatkit_request(name, **thread, limit=-1)) == [
        {"loc": ["params", "limit"], "msg": "A page size is not negative."}
    ]


@pytest.mark.parametrize("after", ["", " ", "a b", "a\n", "é", "a" * 513])
@pytest.mark.parametrize("name", ["threads.list", "items.list"])
def test_a_cursor_that_no_store_could_have_made_is_refused(name: str, after: str) -> None:
    thread = {"thread_id": "thr_1"} if name == "items.list" else {}
    (error,) = _errors(chatkit_request(name, **thread, after=after))
    assert error["loc"] == ["params", "after"]


@pytest.mark.parametrize("after", ["a", "eyJpZCI6MX0=", "2026-01-02T03:04:05+00:00/thr_1", "a" * 512])
def test_a_cursor_may_be_more_than_an_id(after: str) -> None:
    parse(chatkit_request("threads.list", after=after), LIMITS)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a\nb", "a\x7f", "a" * 256], ids=ascii
)
def test_a_file_with_a_name_that_is_none_is_refused(name: str) -> None:
    (error,) = _errors(chatkit_request("attachments.create", name=name, size=0, mime_type="text/plain"))
    assert error["loc"] == ["params", "name"]


@pytest.mark.parametrize("name", ["a", "...", "résumé 2026.pdf", "a" * 255])
def test_a_file_with_a_name_is_taken(name: str) -> None:
    parse(chatkit_request("attachments.create", name=name, size=0, mime_type="text/plain"), LIMITS)


@pytest.mark.parametrize("size", [-1, 2**53 + 1, 10**30])
def test_a_file_of_a_size_that_is_none_is_refused(size: int) -> None:
    body = chatkit_request("attachments.create", name="a", size=size, mime_type="text/plain")
    assert _errors(body) == [{"loc": ["params", "size"], "msg": "This is not the size of a file."}]


@pytest.mark.parametrize("size", [0, 1, 2**53])
def test_a_file_of_any_other_size_is_taken(size: int) -> None:
    parse(chatkit_request("attachments.create", name="a", size=size, mime_type="text/plain"), LIMITS)


@pytest.mark.parametrize("name", ["attachments.create", "input.transcribe"])
@pytest.mark.parametrize("media_type", ["a\nb", "a\0", "é", "x" * 256], ids=ascii)
def test_a_media_type_that_is_none_is_refused(name: str, media_type: str) -> None:
    request = json.loads(one_of_each()[name])
    request["params"]["mime_type"] = media_type
    (error,) = _errors(json.dumps(request).encode())
    assert error["loc"] == ["params", "mime_type"]


def test_a_request_has_so_many_values_and_no_more() -> None:
    body = chatkit_request("items.feedback", thread_id="thr_1", item_ids=["a"] * 10, kind="positive")
    size = body.count(b",") + body.count(b"{") + body.count(b"[")
    parse(body, Limits(max_json_values=size))
    assert _limit(body, Limits(max_json_values=size - 1)) == "max_json_values"


# ------------------------------------------------------------------------------------------------ depth

TRICKY = st.text(st.sampled_from(list('"\\[]{}aé\n')), max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=12,
)


def _depth(value: Any) -> int:
    kind: str = type(value).__name__
    inner = value.values() if kind == "dict" else value if kind == "list" else ()
    return (kind in {"dict", "list"}) + max(map(_depth, inner), default=0)


@given(VALUES, st.integers(0, 12), st.booleans())
def test_the_depth_of_a_json_text_is_that_of_its_value(value: Any, limit: int, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert nesting(text, limit) == min(_depth(value), limit + 1)


@pytest.mark.parametrize("depth", [3, 4, 5, 30])
def test_a_request_may_nest_so_deep_and_no_deeper(depth: int) -> None:
    value: Any = 1
    for _ in range(depth - 2):
        value = [value]
    body = chatkit_request("threads.add_client_tool_output", thread_id="thr_1", result=value)
    parse(body, Limits(max_json_depth=depth))
    (error,) = _errors(body, Limits(max_json_depth=depth - 1))
    assert error["msg"] == f"JSON may be nested {depth - 1} levels deep."


def test_a_flat_request_with_many_brackets_is_not_deep() -> None:
    body = chatkit_request(
        "threads.add_client_tool_output", thread_id="thr_1", result=["[[[["] * 50 + [[]] * 50
    )
    parse(body, Limits(max_json_depth=4))


@given(st.sampled_from(sorted(one_of_each())), VALUES)
def test_any_value_in_any_place_is_parsed_or_refused(name: str, value: Any) -> None:
    request = json.loads(one_of_each()[name])
    for key in request["params"]:
        body = json.dumps(request | {"params": request["params"] | {key: value}}).encode()
        try:
            assert parse(body, LIMITS).name == name
        except RequestError:
            continue
