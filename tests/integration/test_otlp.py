"""Every kind of failure over a socket, its telemetry by OTLP, and the way from a user to what went wrong."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chatkit_prod.tracing.names import ACTIVE_STREAMS, REQUESTS
from tests.path.servers import LIMIT, ServerProcess
from tests.path.wire import Connection, connect
from tests.tracing.canaries import Canaries
from tests.tracing.failing import CASES, Case

from .otlp import Receiver, receiving
from .otlp_app import SERVICE

pytestmark = pytest.mark.anyio

_ROOT = Path(__file__).parents[2]
_LAST = "a process that ends"
_STORE_CASE = "the store after the first event"
_CAROL = "carol"
_CLOCKS = 1.0
"""Seconds by which a user may be wrong about the time."""

WHAT_WENT_WRONG = """
SELECT DISTINCT spans.name, exceptions.type, exceptions.stack
FROM logs
JOIN spans ON spans.trace_id = logs.trace_id
JOIN exceptions ON exceptions.span_id = spans.span_id
WHERE logs.event = 'chatkit.access'
  AND logs.attributes ->> '$."user.id"' = :user
  AND logs.attributes ->> '$."chatkit.outcome"' = 'error'
  AND logs.at BETWEEN :since AND :until
  AND spans.name LIKE 'store.%'
  AND spans.status = 'ERROR'
"""
"""From a user and a time to the call of the store that failed."""


class Sent:
    """What was asked.

    Attributes:
        canaries: What must not come out anywhere.
        asked: The id of each request, by case.
        carols_time: When Carol met the failure of the store, which nobody else met at that time.
        process_said: What the process has written to its terminal.
    """

    def __init__(self) -> None:
        self.canaries = Canaries()
        self.asked: dict[str, str] = {}
        self.carols_time = 0.0
        self.process_said = ""

    async def ask(self, name: str, running: ServerProcess, **headers: str) -> str:
        """Send the request of a case, do what its client does, and return the id of the request."""
        case = CASES[name]
        async with connect(running.port) as connection:
            await connection.send(
                case.body.replace(b"Hello", self.canaries.text("a message").encode()),
                method=case.method,
                path=f"/chatkit?q={self.canaries.word('the query')}",
                headers=self._headers(case) | headers,
            )
            await connection.head()
            assert connection.status == case.status, name
            await self._stay(case, connection, running)
        return connection.headers["x-request-id"]

    def _headers(self, case: Case) -> dict[str, str]:
        more = {"x-seconds": "0.5"} if case.client == "outlives its token" else {}
        return {
            "content-type": "",
            **case.sent(self.canaries.text("the text of an exception")),
            **more,
            "user-agent": self.canaries.text("user-agent"),
            "cookie": f"session={self.canaries.word('a cookie')}",
            "baggage": f"user={self.canaries.word('baggage')}",
            "x-request-id": self.canaries.word("x-request-id"),
        }

    async def _stay(self, case: Case, connection: Connection, running: ServerProcess) -> None:
        if case.client in {"goes", "sees the process end"}:
            async for event in connection.events():
                if event["type"] == "thread.item.updated":
                    break
        if case.client == "goes":
            connection.go("rst")
        elif case.client == "sees the process end":
            self.process_said = (await running.stop(signal.SIGTERM)).decode()
        else:
            async for _ in connection.chunks():
                pass


@asynccontextmanager
async def app_sending_to(receiver: Receiver, opt_in: str) -> AsyncGenerator[ServerProcess]:
    """Run the app in a process of its own."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.otlp_app",
        cwd=_ROOT,
        env={
            **environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": opt_in,
            "no_proxy": "127.0.0.1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        port = await asyncio.wait_for(process.stdout.readline(), LIMIT)
        yield ServerProcess(process, int(port))
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.wait_for(process.communicate(), LIMIT)


@pytest.fixture(scope="module", params=["", "logs/dup"], ids=["events", "events and records"])
async def told(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Sent, Receiver]]:
    """Send every case, and end the process, which sends what is left."""
    sent = Sent()
    with receiving() as receiver:
        async with app_sending_to(receiver, request.param) as running:
            sent.carols_time = time.time()
            await sent.ask(_STORE_CASE, running, **{"x-user": _CAROL})
            for name in sorted(CASES, key=_LAST.__eq__):
                sent.asked[name] = await sent.ask(name, running)
        yield sent, receiver


def access(receiver: Receiver, request_id: str) -> tuple[str, Mapping[str, Any]]:
    """Return the trace and the attributes of the only access record of a request."""
    ((trace_id, attributes),) = receiver.query(
        "SELECT trace_id, attributes FROM logs WHERE event = 'chatkit.access'"
        """ AND attributes ->> '$."chatkit.request.id"' = :id""",
        id=request_id,
    )
    return trace_id, json.loads(attributes)


@pytest.mark.parametrize("name", CASES)
async def test_a_failure_comes_out_at_the_other_end(told: tuple[Sent, Receiver], name: str) -> None:
    sent, receiver = told
    case = CASES[name]
    trace_id, record = access(receiver, sent.asked[name])
    ((service, status, description, attributes),) = receiver.query(
        "SELECT service, status, description, attributes FROM spans WHERE trace_id = :id AND kind = 'SERVER'",
        id=trace_id,
    )
    span = json.loads(attributes)
    assert (service, status, description) == (SERVICE, "ERROR" if case.error_type else "UNSET", "")
    for told_by in (record, span):
        assert told_by["http.response.status_code"] == case.status
        assert told_by["chatkit.outcome"] == case.outcome
        assert told_by.get("error.type") == case.error_type
        assert told_by.get("chatkit.operation", "unknown") == case.operation
    recorded = receiver.query(
        "SELECT spans.name, exceptions.type, exceptions.stack LIKE '%File \"%'"
        " FROM exceptions JOIN spans USING (span_id) WHERE trace_id = :id",
        id=trace_id,
    )
    assert recorded == ([(case.recorded_on, case.exception, 1)] if case.exception else [])


async def test_a_failure_is_a_log_record_as_well_where_it_is_wanted(
    told: tuple[Sent, Receiver], request: pytest.FixtureRequest
) -> None:
    sent, receiver = told
    is_wanted = "records" in request.node.callspec.id
    records = receiver.query(
        "SELECT spans.name, logs.attributes ->> '$.\"exception.type\"' FROM logs JOIN spans USING (span_id)"
        " WHERE event = 'http.server.request.exception'"
    )
    asked = (*CASES.values(), CASES[_STORE_CASE])
    wanted = Counter((case.recorded_on, case.exception) for case in asked if case.exception)
    assert Counter(records) == (wanted if is_wanted else Counter())
    assert {*sent.asked} == {*CASES}


async def test_every_request_is_counted_once_and_no_stream_is_left(told: tuple[Sent, Receiver]) -> None:
    _, receiver = told
    points = receiver.query("SELECT value, attributes FROM points WHERE metric = :name", name=REQUESTS)
    counted = Counter[tuple[str, str, str | None]]()
    for value, attributes in points:
        known = json.loads(attributes)
        counted[known["chatkit.operation"], known["chatkit.outcome"], known.get("error.type")] = value
    asked = (*CASES.values(), CASES[_STORE_CASE])
    assert counted == Counter((case.operation, case.outcome, case.error_type) for case in asked)
    active = receiver.query("SELECT value FROM points WHERE metric = :name", name=ACTIVE_STREAMS)
    assert active
    assert {value for (value,) in active} == {0}


async def test_one_query_leads_from_a_user_and_a_time_to_the_call_of_the_store_that_failed(
    told: tuple[Sent, Receiver],
) -> None:
    sent, receiver = told
    since, until = sent.carols_time - _CLOCKS, sent.carols_time + _CLOCKS
    ((name, error, stack),) = receiver.query(WHAT_WENT_WRONG, user=_CAROL, since=since, until=until)
    assert (name, error) == ("store.add_thread_item", "ConnectionError")
    assert "in trip" in stack
    assert receiver.query(WHAT_WENT_WRONG, user="bob", since=since, until=until) == []
    assert receiver.query(WHAT_WENT_WRONG, user=_CAROL, since=0, until=since) == []


async def test_nothing_that_was_said_is_in_what_was_sent_or_written(told: tuple[Sent, Receiver]) -> None:
    sent, receiver = told
    assert len(sent.canaries) > 5 * len(CASES)
    assert len(receiver.raw) >= 3
    for body in (*receiver.raw, sent.process_said.encode()):
        assert sent.canaries.found_in(body.decode("latin-1")) == []
