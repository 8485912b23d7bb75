"""What is asked of the metrics, records and spans is what they tell: in the rules, the dashboard, the queries, the docs."""

import io
import json
import logging
import re
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from chatkit_prod import harden
from chatkit_prod.access import OwnerOnly
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.testing import ChatKitClient, LocalIdentityProvider, chatkit_request, user_message
from chatkit_prod.tracing import JSONFormatter, names, outcome
from chatkit_prod.tracing.client_events import ClientEventsEndpoint
from examples.stores.sqlite import SQLiteStore
from examples.support_desk import metrics as metrics_of_the_desk
from examples.support_desk.metrics import scrapable
from examples.support_desk.model import ScriptedModel
from examples.support_desk.server import SupportDesk
from tests.layers import exchange, get, header_lines

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "observability"
HOW_TO = ROOT / "docs" / "how-to"

PROVIDER = LocalIdentityProvider(algorithm="ES256")
AUTH = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)

ANSWERED = chatkit_request("threads.create", input=user_message("Hello"))
FAILING = chatkit_request("threads.create", input=user_message("A-5000?"))
LIST = chatkit_request("threads.list")
REPORT = json.dumps({"session": "0" * 32, "events": [{"name": "composer.submit"}]}).encode()

OPEN_METRICS = b"application/openmetrics-text;version=1.0.0"
NAME = re.compile(r"[a-z_:]*\b(?:[a-z_]+:)?(?:chatkit|http|error)_[a-z0-9_:]+")
STRING = re.compile(r'"[^"]*"')

HAS_ITS_OWN = pytest.mark.skipif(
    not metrics_of_the_desk._HAS_ITS_OWN, reason="before 0.63 the exporter has one registry for all"
)


class Routed:
    """An app whose framework has told the template of the path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "route": SimpleNamespace(path="/chatkit")}, receive, send)


@dataclass
class Told:
    """All that was told of the same few requests, by each of the ways.

    Args:
        metrics: As OpenTelemetry has them.
        scraped: As Prometheus gets them.
        spans: All that have ended.
        log: The access records, as lines of JSON.
        failed: The thread of the request whose store failed.
    """

    metrics: dict[str, Metric]
    scraped: str
    spans: tuple[ReadableSpan, ...]
    log: str
    failed: str

    @property
    def scraped_names(self) -> set[str]:
        families = text_string_to_metric_families(self.scraped)
        return {sample.name for family in families for sample in family.samples}

    @property
    def labels(self) -> set[str]:
        families = text_string_to_metric_families(self.scraped)
        return {label for family in families for sample in family.samples for label in sample.labels}


@contextmanager
def access_log() -> Generator[io.StringIO]:
    """Keep the access records as the lines that are asked for with jq."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    logger = logging.getLogger("chatkit_prod.access")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield written
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


async def scrape(app: ASGIApp, *headers: tuple[bytes, bytes]) -> str:
    """Return what Prometheus gets."""
    head, body = await exchange(app, get(*headers), {"type": "http.request"})
    assert head["status"] == 200
    text: bytes = body["body"]
    return text.decode()


async def ask_in_vain(client: ChatKitClient, database: Path) -> str:
    """Ask while a table of the store is gone, and return the thread."""
    created = (await client.send(ANSWERED)).events[0]
    thread_id: str = created["thread"]["id"]
    more = chatkit_request("threads.add_user_message", thread_id=thread_id, input=user_message("And?"))
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE items RENAME TO gone")
        assert b'"type":"error"' in (await client.send(more)).body
        connection.execute("ALTER TABLE gone RENAME TO items")
    return thread_id


@pytest.fixture(scope="module")
def anyio_backend() -> str:  # what was told is kept for all tests
    return "asyncio"


@pytest.fixture(scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Told]:
    scraped, exposition = scrapable()
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    read = MeterProvider([reader], shutdown_on_exit=False)
    alice = {"authorization": f"Bearer {PROVIDER.token('alice')}"}
    database = tmp_path_factory.mktemp("desk") / "desk.sqlite3"
    failed = ""
    with access_log() as log:
        for meters in (read, scraped):
            async with SQLiteStore(database) as store:
                app = Routed(
                    harden(
                        SupportDesk(store, model=ScriptedModel(pause=0)),
                        auth=AUTH,
                        access=OwnerOnly(),
                        meter_provider=meters,
                        tracer_provider=tracers,
                    )
                )
                pages = AuthMiddleware(ClientEventsEndpoint(meter_provider=meters), authenticator=AUTH)
                await ChatKitClient(app).send(LIST)
                client = ChatKitClient(app, headers=alice)
                for body in (FAILING, LIST):
                    await client.send(body)
                failed = await ask_in_vain(client, database)
                await ChatKitClient(pages, path="/client-events", headers=alice).send(REPORT)
    data = reader.get_metrics_data()
    assert data
    yield Told(
        {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        },
        await scrape(exposition),
        exporter.get_finished_spans(),
        log.getvalue(),
        failed,
    )
    scraped.shutdown()


def rules() -> str:
    """Return the rules without their comments."""
    return re.sub(r"^\s*#.*$", "", (FOLDER / "rules.yml").read_text(), flags=re.MULTILINE)


def recorded() -> set[str]:
    """Return the names that the rules make."""
    return set(re.findall(r"- record: (\S+)", rules()))


def blocks(language: str) -> list[str]:
    """Return the blocks of `queries.md` in a language."""
    text = (FOLDER / "queries.md").read_text()
    found: list[str] = re.findall(rf"^```{language}\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return found


def expressions() -> list[str]:
    """Return every query of the dashboard."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


# ------------------------------------------------------------------------------------------------ Prometheus


async def test_the_rules_the_dashboard_and_the_queries_name_nothing_that_is_not_exported(told: Told) -> None:
    known = told.scraped_names | told.labels | recorded()
    texts = (rules(), *expressions(), *blocks("promql"))
    asked = {name for text in texts for name in NAME.findall(STRING.sub('""', text))}
    assert asked <= known, asked - known
    assert recorded() <= asked
    counted = {
        name.removesuffix("_sum") for name in told.scraped_names if name.startswith(("chatkit", "http"))
    }
    unasked = {
        name for name in counted if not any(found.startswith(name.removesuffix("_count")) for found in asked)
    }
    assert unasked == set()


async def test_the_test_of_names_finds_a_wrong_one(told: Told) -> None:
    asked = set(NAME.findall('sum by (error_kind) (rate(chatkit_request_total{chatkit_outcome="x_y"}[5m]))'))
    assert asked - told.scraped_names - told.labels == {"error_kind", "chatkit_request_total"}


def test_every_alert_is_made_to_fire_and_to_stay_silent() -> None:
    alerts = re.findall(r"- alert: (\S+)", rules())
    tests = (FOLDER / "rules.test.yml").read_text()
    checks = re.findall(r"alertname: (\S+)\n +exp_alerts:(| \[])\n", tests)
    assert len(alerts) == 10
    assert {*checks} == {(alert, how) for alert in alerts for how in ("", " []")}


def test_every_alert_says_how_urgent_it_is_and_what_is_wrong() -> None:
    for alert in rules().split("- alert: ")[1:]:
        assert re.search(
            r"for: \d+m\n +labels: { severity: (page|ticket) }\n +annotations:\n +summary: \"\S", alert
        )


@HAS_ITS_OWN
async def test_two_desks_tell_their_own_metrics_in_the_format_that_is_asked_for() -> None:
    (used, one), (idle, other) = scrapable(), scrapable()
    used.get_meter("app").create_counter("app.calls").add(1)
    assert "app_calls_total" in await scrape(one)
    assert "app_calls_total" not in await scrape(other)
    assert "# EOF" in await scrape(one, (b"accept", OPEN_METRICS))
    head = await exchange(one, get(), {"type": "http.request"})
    assert header_lines(head, b"content-type")[0].startswith(b"text/plain; version=0.0.4")
    for provider in (used, idle):
        provider.shutdown()
    assert "app_calls" not in await scrape(one)


# ------------------------------------------------------------------------------------------------ Grafana


def test_the_panels_have_their_own_place_and_number() -> None:
    panels = dashboard()["panels"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_panel_asks_the_chosen_source_about_the_chosen_job() -> None:
    variables = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert variables == {"datasource", "job"}
    for panel in dashboard()["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert (
                target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            )
            assert 'job="$job"' in target["expr"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


# ------------------------------------------------------------------------------------------------ logs and traces


@pytest.mark.skipif(shutil.which("jq") is None, reason="there is no jq")
async def test_the_log_leads_from_a_user_and_a_time_to_the_trace_of_what_failed(
    told: Told, tmp_path: Path
) -> None:
    (tmp_path / "access.jsonl").write_text(told.log)
    all_of_it, what_failed, of_a_trace = (jq(query, tmp_path) for query in blocks("sh"))
    requests = [json.loads(line) for line in all_of_it.splitlines()]
    operations = ["threads.create", "threads.list", "threads.create", "threads.add_user_message"]
    assert [found["operation"] for found in requests] == operations * 2
    failed = [found for found in requests if found["outcome"] == "error"]
    assert [found["error_type"] for found in failed] == ["CustomStreamError", "OperationalError"] * 2
    assert what_failed.split() == [found["trace_id"] for found in failed]
    assert of_a_trace == ""  # it is of an example
    trace_id = failed[-1]["trace_id"]
    query = blocks("sh")[2].replace("0af7651916cd43dd8448eb211c80319c", trace_id)
    assert json.loads(jq(query, tmp_path))["thread_id"] == told.failed
    earlier = shifted(blocks("sh")[0], timedelta(hours=-1))
    assert jq(earlier, tmp_path) == ""


async def test_one_query_leads_from_a_user_and_a_time_to_the_failing_call_of_the_store(told: Told) -> None:
    query = now(blocks("sql")[0])
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE spans (trace_id, name, start_time, status, attributes)")
        rows = [row_of(span) for span in told.spans]
        database.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", rows)
        found = database.execute(query).fetchall()
        assert database.execute(query.replace("'alice'", "'bob'")).fetchall() == []
        assert database.execute(shifted(query, timedelta(hours=-1))).fetchall() == []
    assert [row[1:4] for row in found] == [
        ("threads.add_user_message", "store.add_thread_item", "OperationalError")
    ] * 2
    assert found[-1][4] == told.failed
    log = [json.loads(line) for line in told.log.splitlines()]
    assert found[-1][0] in {record["trace_id"] for record in log if record["thread_id"] == told.failed}


def row_of(span: ReadableSpan) -> tuple[str, str, str, str, str]:
    """Return a span as a row of a table."""
    context, started = span.get_span_context(), span.start_time
    assert context
    assert started
    return (
        f"{context.trace_id:032x}",
        span.name,
        datetime.fromtimestamp(started / 1e9, UTC).isoformat(timespec="milliseconds"),
        span.status.status_code.name,
        json.dumps(dict(span.attributes or {})),
    )


def now(query: str) -> str:
    """Return a query about the quarter of an hour around now, in place of its own."""
    middle = datetime.now(UTC)
    for written, minutes in (("2026-05-04T09:30", -7), ("2026-05-04T09:45", 8)):
        assert written in query
        query = query.replace(
            written, (middle + timedelta(minutes=minutes)).isoformat(timespec="minutes")[:16]
        )
    return query


def shifted(query: str, by: timedelta) -> str:
    """Return a query about another time."""

    def move(match: re.Match[str]) -> str:
        return (datetime.fromisoformat(match[0]) + by).isoformat(timespec="minutes")

    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d", move, now(query) if "2026-05-04" in query else query)


def jq(query: str, folder: Path) -> str:
    """Run a command of `queries.md`, about now."""
    command = now(query) if "2026-05-04" in query else query
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


# ------------------------------------------------------------------------------------------------ documentation


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table of a page whose first column has this heading."""
    text = (HOW_TO / page).read_text()
    lines = text[text.index(f"| {heading} |") :].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    """Return what a cell has as code."""
    return re.findall(r"`([^`]+)`", cell)


def attributes_of(metric: Metric) -> set[str]:
    return {name for point in metric.data.data_points for name in point.attributes or ()}


async def test_the_page_lists_every_metric_with_its_unit_its_attributes_and_its_name_for_prometheus(
    told: Told,
) -> None:
    rows = {quoted(row[0])[0]: row for row in table("health.md", "metric")}
    assert {*rows} == {*told.metrics}
    for name, (_, scraped, unit, listed, *_rest) in rows.items():
        metric = told.metrics[name]
        assert quoted(unit) == [metric.unit]
        assert {*quoted(listed)} == attributes_of(metric), name
        samples = {quoted(scraped)[0] + ("_bucket" if isinstance(metric.data, Histogram) else "")}
        assert samples <= told.scraped_names


async def test_the_page_lists_the_buckets_that_are_used(told: Told) -> None:
    histograms = {
        name: metric.data for name, metric in told.metrics.items() if isinstance(metric.data, Histogram)
    }
    listed = {
        name: [float(bound) for bound in row[1].split(", ")]
        for row in table("health.md", "histogram")
        for name in quoted(row[0])
    }
    assert listed == {name: list(data.data_points[0].explicit_bounds) for name, data in histograms.items()}


async def test_no_metric_tells_a_user_or_a_thread(told: Told) -> None:
    listed = {name for metric in told.metrics.values() for name in attributes_of(metric)}
    assert not listed & {
        names.USER_ID,
        names.USER_HASH,
        names.SESSION_ID,
        names.CONVERSATION_ID,
        names.REQUEST_ID,
    }
    assert "alice" not in told.scraped
    assert told.failed not in told.scraped


async def test_the_page_lists_the_attributes_of_the_requests_span_and_of_what_is_inside(told: Told) -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    listed = {name for row in table("what-went-wrong.md", "attribute") for name in quoted(row[0])}
    assert listed <= known
    used = {name for span in told.spans for name in span.attributes or ()}
    assert used <= listed


def test_the_page_has_the_outcomes_as_the_code_has_them() -> None:
    text = outcome.__doc__ or ""
    decided = [
        tuple(cell.strip("` ") for cell in line.strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("|")
    ]
    page = [
        tuple(cell.replace("`", "") for cell in row) for row in table("what-went-wrong.md", "what happened")
    ]
    cleaned = [tuple(cell.replace("`", "") for cell in row) for row in decided[2:]]
    assert page == cleaned
