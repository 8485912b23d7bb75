"""Records say whose they are, stand on one line of JSON, and quote no exception."""

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from chatkit.types import ThreadMetadata, ThreadStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from chatkit_prod import ChatKitEndpoint, Principal, RequestState
from chatkit_prod.asgi import Receive, Scope, Send
from chatkit_prod.pii import RedactingFilter
from chatkit_prod.records import write
from chatkit_prod.testing import ChatKitClient, chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware
from chatkit_prod.tracing.logs import (
    IDS,
    ExceptionTextFilter,
    JSONFormatter,
    RequestFilter,
    identify_records,
    keep_texts_out,
)
from tests.layers import Greeter, exchange, get
from tests.servers import ScriptedServer, hello
from tests.tracing.recording import Recorder
from tests.tracing.requests_traced import current, traced_request

pytestmark = pytest.mark.anyio

CANARY = "canary-5f3a"
CREATE = chatkit_request("threads.create", input=user_message("Hello"))
ALICE = Principal(issuer="desk", subject="alice")


def fail() -> None:
    error = ValueError(CANARY)
    error.add_note(CANARY)
    raise error from LookupError(CANARY)


def failing() -> ValueError:
    """Return an exception that was raised, with a cause and a note, and text in each."""
    with pytest.raises(ValueError) as caught:
        fail()
    return caught.value


class Collecting(logging.Handler):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def record(self) -> logging.LogRecord:
        (record,) = self.records
        return record


@pytest.fixture
def collecting() -> Collecting:
    return Collecting()


@pytest.fixture
def logger(collecting: Collecting) -> Iterator[logging.Logger]:
    """Return a logger of the app's, with a handler that keeps its records."""
    found = logging.getLogger("app.tests")
    found.addHandler(collecting)
    found.setLevel(logging.DEBUG)
    found.propagate = False
    yield found
    found.removeHandler(collecting)
    found.filters.clear()
    found.setLevel(logging.NOTSET)
    found.propagate = True


@pytest.fixture
def tracing() -> Iterator[TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    yield provider
    provider.shutdown()


def ids(record: logging.LogRecord) -> dict[str, Any]:
    return {name: vars(record)[name] for name in IDS}


# --------------------------------------------------------------------------------------------- whose it is


class Logging:
    """An app that writes a record in the middle of a request."""

    def __init__(self, logger: logging.Logger, inside: Callable[[RequestState], None] | None = None) -> None:
        self._logger = logger
        self._inside = inside
        self.app = Greeter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._inside is not None:
            self._inside(scope["state"]["chatkit"])
        self._logger.info("in the middle")
        await self.app(scope, receive, send)


async def test_a_record_names_its_trace_request_and_user(
    logger: logging.Logger, collecting: Collecting, tracing: TracerProvider
) -> None:
    collecting.addFilter(RequestFilter())
    seen = list[RequestState]()

    def know(state: RequestState) -> None:
        state.principal = ALICE
        state.thread_id = "thr_1"
        seen.append(state)

    sent = await exchange(TracingMiddleware(Logging(logger, know), tracer_provider=tracing), get())
    found = ids(collecting.record)
    assert re.fullmatch("[0-9a-f]{32}", found.pop("trace_id"))
    assert re.fullmatch("[0-9a-f]{16}", found.pop("span_id"))
    assert (b"x-request-id", found["request_id"].encode()) in sent[0]["headers"]
    assert found == {
        "request_id": seen[0].request_id,
        "operation": None,
        "user_id": "alice",
        "user_hash": None,
        "thread_id": "thr_1",
    }


@pytest.mark.parametrize(("user_as", "shown"), [("hash", {"user_hash"}), ("none", set[str]())])
async def test_a_record_names_the_user_as_the_middleware_does(
    logger: logging.Logger, collecting: Collecting, user_as: Literal["hash", "none"], shown: set[str]
) -> None:
    collecting.addFilter(RequestFilter())

    def know(state: RequestState) -> None:
        state.principal = ALICE

    key = bytes(16) if user_as == "hash" else None
    await exchange(TracingMiddleware(Logging(logger, know), user_as=user_as, user_key=key), get())
    found = ids(collecting.record)
    assert "alice" not in found.values()
    assert {name for name in ("user_id", "user_hash") if found[name]} == shown


async def test_a_record_of_the_server_names_its_operation_and_thread(
    logger: logging.Logger, collecting: Collecting, tracing: TracerProvider
) -> None:
    collecting.addFilter(RequestFilter())

    async def talking(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        async for event in hello(thread):
            logger.info("thinking of %s", thread.id)
            yield event

    app = TracingMiddleware(ChatKitEndpoint(ScriptedServer(talking)), tracer_provider=tracing)
    await ChatKitClient(app).send(CREATE)
    assert collecting.records
    for record in collecting.records:
        found = ids(record)
        assert (found["operation"], found["user_id"]) == ("threads.create", None)
        assert record.getMessage() == f"thinking of {found['thread_id']}"


async def test_concurrent_requests_keep_their_records_apart(
    logger: logging.Logger, collecting: Collecting, tracing: TracerProvider
) -> None:
    collecting.addFilter(RequestFilter())
    app = TracingMiddleware(Logging(logger), tracer_provider=tracing)
    await asyncio.gather(*(exchange(app, get()) for _ in range(10)))
    assert len({ids(record)["trace_id"] for record in collecting.records}) == 10
    assert len({ids(record)["request_id"] for record in collecting.records}) == 10


def test_outside_of_a_request_everything_is_unknown_and_nothing_is_dropped() -> None:
    record = logging.makeLogRecord({})
    assert RequestFilter().filter(record)
    assert ids(record) == dict.fromkeys(IDS) | {"trace_id": "", "span_id": ""}


def test_a_span_outside_of_a_request_is_named(tracing: TracerProvider) -> None:
    record = logging.makeLogRecord({})
    with tracing.get_tracer("job").start_as_current_span("nightly") as span:
        RequestFilter().filter(record)
    assert ids(record)["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert ids(record)["request_id"] is None


@pytest.mark.parametrize("name", IDS)
def test_what_a_record_has_already_stays(name: str) -> None:
    record = logging.makeLogRecord({name: "mine"})
    RequestFilter().filter(record)
    assert vars(record)[name] == "mine"


def test_our_own_loggers_and_that_of_chatkit_identify_their_records_once() -> None:
    for _ in range(2):
        identify_records()
    for name in ("chatkit_prod", "chatkit_prod.access", "chatkit_prod.audit", "chatkit"):
        filters = logging.getLogger(name).filters
        assert sum(isinstance(found, RequestFilter) for found in filters) == 1


# --------------------------------------------------------------------------------------------- one line of JSON


def line(record: logging.LogRecord) -> dict[str, Any]:
    text = JSONFormatter().format(record)
    assert len(text.splitlines()) == 1
    assert text.isascii()
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return found


def record_of(message: object = "hello", *args: object, **attributes: object) -> logging.LogRecord:
    given = {"name": "app", "levelname": "INFO", "levelno": 20, "msg": message, "args": args or None}
    return logging.makeLogRecord({**given, "created": 1_800_000_000.1239, **attributes})


def test_a_record_is_one_line_of_json() -> None:
    assert line(record_of("%d items\nof %s", 3, "Zoë")) == {
        "time": "2027-01-15T08:00:00.123+00:00",
        "level": "INFO",
        "logger": "app",
        "message": "3 items\nof Zoë",
    }


def test_the_ids_stand_in_front_and_what_is_unknown_is_left_out() -> None:
    record = record_of(trace_id="a" * 32, span_id="", request_id="r", operation=None, colour="red")
    assert list(line(record))[4:] == ["trace_id", "request_id", "colour"]


def test_our_own_records_give_their_fields(logger: logging.Logger, collecting: Collecting) -> None:
    write(logger, {"outcome": "error", "status": 500, "user_id": None, "message": "never"})
    collecting.record.request_id = "r"
    found = line(collecting.record)
    assert (found["outcome"], found["status"], found["user_id"], found["request_id"]) == (
        "error",
        500,
        None,
        "r",
    )
    assert found["message"].startswith('outcome="error" status=500')
    assert "chatkit" not in found


def test_what_a_record_says_of_itself_counts_before_what_is_around_it() -> None:
    record = record_of(request_id="around", trace_id="around", time="never", level="never", status=1)
    record.chatkit = {"request_id": "own", "trace_id": None, "logger": "never", "status": 2}
    found = line(record)
    assert (found["request_id"], found["trace_id"]) == ("own", "around")
    assert (found["status"], found["logger"]) == (2, "app")
    assert (found["level"], found["time"][:4]) == ("INFO", "2027")


def test_a_user_is_never_named_by_id_and_by_hash_in_one_line() -> None:
    record = record_of(user_hash="h", user_id=None)
    assert line(record)["user_hash"] == "h"
    record.chatkit = {"user_id": "alice"}
    assert line(record)["user_id"] == "alice"
    assert "user_hash" not in line(record)


def test_something_else_by_the_name_of_our_fields_is_left_out() -> None:
    assert "chatkit" not in line(record_of(chatkit=CANARY))
    assert CANARY not in JSONFormatter().format(record_of(chatkit=CANARY))


def test_an_exception_is_its_type_and_its_stack(logger: logging.Logger, collecting: Collecting) -> None:
    logger.error("it failed", exc_info=failing())
    text = JSONFormatter().format(collecting.record)
    assert CANARY not in text
    found = json.loads(text)
    assert (found["message"], found["exception_type"]) == ("it failed", "ValueError")
    assert "test_logs.py" in found["exception_stack"]
    assert found["exception_stack"].endswith("builtins.ValueError")


def test_the_text_that_a_formatter_has_made_of_an_exception_is_not_taken() -> None:
    assert CANARY not in JSONFormatter().format(record_of(exc_text=f"ValueError: {CANARY}"))
    assert "exception_type" not in line(record_of(exc_info=(None, None, None)))


@pytest.mark.parametrize("values", [(ValueError(CANARY),), ("no exception %s", ValueError(CANARY))])
def test_an_exception_in_a_message_is_named_by_its_type(values: tuple[object, ...]) -> None:
    text = line(record_of(*values))["message"]
    assert text.removeprefix("no exception ") == "ValueError"
    named = record_of("%(error)s")
    named.args = {"error": KeyError(CANARY)}
    assert line(named)["message"] == "KeyError"


def test_a_stack_is_told_where_it_was_asked_for(logger: logging.Logger, collecting: Collecting) -> None:
    logger.info("here", stack_info=True)
    assert "test_logs.py" in line(collecting.record)["stack"]


class Secretive:
    """Has a text that must not be asked for."""

    def __str__(self) -> str:
        raise RuntimeError(CANARY)

    __repr__ = __str__


class Circular(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__()
        self["self"] = self


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("1.10"), "1.10"),
        (b"bytes", "bytes"),
        (Secretive(), "Secretive"),
        (ValueError(CANARY), "ValueError"),
        ([1, {"a": Secretive()}], [1, {"a": "Secretive"}]),
        ({"a", "b"}, "set"),
        (float("nan"), "float"),
        (Circular(), "Circular"),
        ({("a", "b"): 1}, "dict"),
        ("\ud800\u2028", "\ud800\u2028"),
        (None, None),
        (True, True),
    ],
)
def test_an_odd_value_is_written_by_what_is_known_of_it(value: object, written: object) -> None:
    assert line(record_of(value=value))["value"] == written


@pytest.mark.parametrize(
    ("message", "args", "written"),
    [
        ("%d", ("three",), "%d"),
        ("%s", (Secretive(),), "%s"),
        (Secretive(), (), "Secretive"),
        (7, (), "7"),
        ("100%", (), "100%"),
    ],
)
def test_a_message_that_cannot_be_made_is_its_template(message: object, args: Any, written: str) -> None:
    assert line(record_of(message, *args))["message"] == written


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text(st.characters(exclude_categories=())), st.dictionaries(st.text(), _JSON, max_size=4))
def test_whatever_is_in_a_record_it_is_one_line_of_json(message: str, extra: dict[str, Any]) -> None:
    record = record_of(message)
    record.chatkit = extra
    assert line(record)["message"] == message


def test_a_handler_writes_one_line_a_record(logger: logging.Logger) -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JSONFormatter())
    handler.addFilter(RequestFilter())
    logger.addHandler(handler)
    logger.info("one")
    logger.info("two\nlines")
    logger.removeHandler(handler)
    assert [json.loads(row)["message"] for row in handler.stream.getvalue().splitlines()] == [
        "one",
        "two\nlines",
    ]


# --------------------------------------------------------------------------------------------- other loggers


def plain(record: logging.LogRecord) -> str:
    return logging.Formatter("%(message)s").format(record)


Log = Callable[[logging.Logger, Exception], None]
_LOGS: dict[str, Log] = {
    "as its message": lambda to, error: to.error(error, exc_info=error),
    "in its message": lambda to, error: to.error(f"failed: {error}", exc_info=error),
    "as an argument": lambda to, error: to.error("%s failed: %s", CANARY, error),
    "beside another": lambda to, error: to.error("%s", CANARY, exc_info=error),
    "by name": lambda to, error: to.error("%(error)s", {"error": error}),
    "alone": lambda to, error: to.warning(error),
}


@pytest.mark.parametrize("log", _LOGS.values(), ids=_LOGS)
def test_of_the_exceptions_of_others_there_remain_type_and_stack(
    logger: logging.Logger, collecting: Collecting, log: Log
) -> None:
    keep_texts_out(logger.name)
    log(logger, failing())
    record = collecting.record
    assert CANARY not in plain(record) + JSONFormatter().format(record) + repr(vars(record))
    assert record.getMessage() == "ValueError"
    assert plain(record).splitlines()[-1] == "builtins.ValueError"
    found = line(record)
    assert (found["message"], found["exception_type"]) == ("ValueError", "ValueError")
    assert "in fail" in found["exception_stack"]


def test_a_filter_that_turns_exceptions_into_text_gets_none(
    logger: logging.Logger, collecting: Collecting
) -> None:
    logger.addFilter(RedactingFilter())
    for _ in range(2):
        keep_texts_out(logger.name)
    assert [type(found) for found in logger.filters] == [ExceptionTextFilter, RedactingFilter]
    logger.error("failed", exc_info=failing())
    assert CANARY not in plain(collecting.record)
    assert line(collecting.record)["exception_type"] == "ValueError"


def test_a_record_without_an_exception_stays_as_it_is(logger: logging.Logger, collecting: Collecting) -> None:
    logger.addFilter(ExceptionTextFilter())
    logger.info("Received request op: %s", "threads.list")
    logger.error("nothing", exc_info=(None, None, None))
    assert [record.getMessage() for record in collecting.records] == [
        "Received request op: threads.list",
        "nothing",
    ]


def test_of_a_logger_that_quotes_only_the_place_is_left(
    logger: logging.Logger, collecting: Collecting
) -> None:
    keep_texts_out(logger.name)
    logger.warning(f"unknown question id(s), ignoring: {CANARY}")  # noqa: G004 - as ChatKit writes it
    assert collecting.record.getMessage().startswith("test_logs:")


def test_exceptions_inside_of_what_is_logged_are_named_by_their_types() -> None:
    held = {"results": [ValueError(CANARY), (KeyError(CANARY), 1)], "set": frozenset([OSError(CANARY)])}
    text = JSONFormatter().format(record_of("gathered: %s", held))
    assert CANARY not in text
    assert "ValueError" in text
    assert "KeyError" in text


def test_what_goes_on_behind_a_request_is_not_stamped_with_its_user() -> None:
    request = traced_request(Recorder())
    request.state.principal = ALICE
    during, behind = record_of(), record_of()
    with current(request):
        RequestFilter().filter(during)
        request.end()
        RequestFilter().filter(behind)
    assert vars(during)["user_id"] == "alice"
    assert vars(during)["trace_id"]
    assert set(ids(behind).values()) == {None, ""}


@given(st.text(min_size=8))
def test_no_text_of_an_exception_remains(text: str) -> None:
    record = record_of("%s", ValueError(text), exc_info=(ValueError, ValueError(text), None))
    ExceptionTextFilter().filter(record)
    assert plain(record) == "ValueError\nbuiltins.ValueError"
