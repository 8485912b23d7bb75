"""A real Prometheus scrapes the support desk, and answers whether ChatKit requests are healthy."""

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chatkit_prod.testing import chatkit_request, user_message
from examples.support_desk.app import create_app, identity_provider
from examples.support_desk.model import ScriptedModel
from tests.path.servers import LIMIT, serve

from .prometheus import Prometheus, prometheus, promtool

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[2] / "examples" / "observability"

ANSWERED = chatkit_request("threads.create", input=user_message("A-1001?"))
FAILING = chatkit_request("threads.create", input=user_message("A-5000?"))
LONG = chatkit_request("threads.create", input=user_message("Explain everything."))
ABSENT = chatkit_request("threads.get_by_id", thread_id="thr_0")
REPORT = json.dumps({"session": "0" * 32, "events": [{"name": "composer.submit"}]}).encode()

SHOP_SECONDS = 0.2
"""What a look-up of an order takes; nothing else in these answers takes as long."""

COUNTS = "sum by (chatkit_outcome) (chatkit_requests_total)"


class Desk:
    """The support desk, and those who use it.

    Args:
        client: Speaks to it.
        database: Its file.
    """

    def __init__(self, client: httpx2.AsyncClient, database: Path) -> None:
        self._client = client
        self._database = database
        self._signed_in = {"authorization": f"Bearer {identity_provider.token('alice')}"}

    async def ask(self, body: bytes, *, status: int = 200, path: str = "/chatkit") -> bytes:
        """Send a request, and return the whole answer."""
        response = await self._client.post(path, content=body, headers=self._headers)
        assert response.status_code == status
        return response.content

    @property
    def _headers(self) -> dict[str, str]:
        return {"content-type": "application/json", **self._signed_in}

    async def be_refused(self) -> None:
        """Send a request with a wrong token."""
        headers = {**self._headers, "authorization": "Bearer wrong"}
        assert (await self._client.post("/chatkit", content=ANSWERED, headers=headers)).status_code == 401

    @asynccontextmanager
    async def long_answer(self) -> AsyncGenerator[None]:
        """Hold a long answer open, and hang up."""
        async with self._client.stream("POST", "/chatkit", content=LONG, headers=self._headers) as response:
            async for chunk in response.aiter_raw():
                if b"Step 1" in chunk:
                    break
            yield

    async def give_up(self) -> None:
        """Hang up on a long answer that has begun."""
        async with self.long_answer():
            pass

    async def ask_while_the_store_fails(self) -> None:
        """Send a request that the store cannot keep: a table of its database is gone for so long."""
        with closing(sqlite3.connect(self._database, timeout=LIMIT)) as connection:
            connection.execute("ALTER TABLE items RENAME TO gone")
            try:
                assert b'"type":"error"' in await self.ask(ANSWERED)
            finally:
                connection.execute("ALTER TABLE gone RENAME TO items")

    async def live(self, *, answered: int, failing: int, given_up: int, refused: int, broken: int) -> None:
        """Send so many requests of each kind, and one for a thread that is not there."""
        async with asyncio.timeout(3 * LIMIT):
            for _ in range(broken):
                await self.ask_while_the_store_fails()
            await asyncio.gather(
                *(self.ask(ANSWERED) for _ in range(answered)),
                *(self.ask(FAILING) for _ in range(failing)),
                *(self.give_up() for _ in range(given_up)),
                *(self.be_refused() for _ in range(refused)),
            )
            await self.ask(ABSENT, status=404)
            await self.ask(REPORT, status=204, path="/client-events")


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[tuple[Desk, int]]:
    """Serve the support desk; gives those who use it, and its port."""
    database = folder / "desk.sqlite3"
    async with (
        serve(create_app(database, model=ScriptedModel(pause=0.01))) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as client,
    ):
        assert (await client.get("/metrics")).status_code == 200  # the app has started
        yield Desk(client, database), port


def configured(folder: Path, port: int) -> Path:
    """Return the configuration of the example: for another port, and for somebody in a hurry."""
    text = (FOLDER / "prometheus.yml").read_text()
    text, ports = re.subn(r"127\.0\.0\.1:8000", f"127.0.0.1:{port}", text)
    text, intervals = re.subn(r"_interval: 15s", "_interval: 200ms", text)
    assert (ports, intervals) == (1, 2)
    shutil.copy(FOLDER / "rules.yml", folder)
    config = folder / "prometheus.yml"
    config.write_text(text)
    return config


def about(value: float) -> Any:
    """Return what is as good as a value: `rate` draws each of its series out to the ends of its range."""
    return pytest.approx(value, rel=0.15)


def questions() -> list[str]:
    """Return every query of the dashboard and of the guide's questions."""
    panels: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    shown: list[str] = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    asked: list[str] = re.findall(
        r"^```promql\n(.+?)\n```$", (FOLDER / "queries.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(shown) > 20
    assert len(asked) > 10
    return [query.replace("$job", "chatkit").replace("$__rate_interval", "1m") for query in (*shown, *asked)]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("check", "rules", "rules.yml"), id="the rules"),
        pytest.param(("check", "config", "prometheus.yml"), id="the configuration"),
        pytest.param(("test", "rules", "rules.test.yml"), id="when each alert fires"),
    ],
)
def test_promtool_is_content_with(arguments: tuple[str, ...]) -> None:
    promtool(*arguments, folder=FOLDER)


@pytest.mark.slow
async def test_prometheus_answers_the_health_queries(tmp_path: Path) -> None:
    async with serving(tmp_path) as (desk, port):
        # A series begins with the first of its kind: what comes before Prometheus is in no rate.
        await desk.live(answered=1, failing=1, given_up=1, refused=1, broken=1)
        async with prometheus(configured(tmp_path, port), tmp_path / "data") as asked:
            before = {"completed": 1, "error": 2, "cancelled": 1, "refused": 2}
            await asked.until("chatkit_outcome", COUNTS, lambda found: found == before)

            await desk.live(answered=12, failing=6, given_up=4, refused=5, broken=2)
            after = {"completed": 13, "error": 10, "cancelled": 5, "refused": 8}
            await asked.until("chatkit_outcome", COUNTS, lambda found: found == after)

            await check_errors(asked)
            await check_refusals(asked)
            await check_waits(asked)
            await check_the_store(asked)
            await check_open_streams(asked, desk)
            for query in questions():
                assert await asked.samples(query), query
            await check_rules(asked)


async def check_errors(asked: Prometheus) -> None:
    types = await asked.by(
        "error_type", 'sum by (error_type) (chatkit_requests_total{chatkit_outcome="error"})'
    )
    assert types == {"CustomStreamError": 7, "OperationalError": 3}
    for window in ("5m", "30m", "1h", "6h"):
        await asked.until(
            "chatkit_operation",
            f"job_operation:chatkit_errors:ratio_rate{window}",
            lambda found: found.get("threads.create") == about(8 / 24),
        )
    await asked.until(
        "chatkit_operation",
        "job_operation:chatkit_cancelled:ratio_rate30m",
        lambda found: found.get("threads.create") == about(4 / 24),
    )
    # It has lasted for seconds, and not for as long as an alert wants.
    pending = 'ALERTS{alertname="ChatKitErrorsFast", alertstate="pending"}'
    await asked.until("chatkit_operation", pending, lambda found: found == {"threads.create": 1})


async def check_refusals(asked: Prometheus) -> None:
    query = "sum by (http_response_status_code) (http_server_request_duration_seconds_count)"
    assert await asked.by("http_response_status_code", query) == {"200": 28, "401": 6, "404": 2}
    unread = "job:chatkit_refused_unread:rate5m * 300"
    await asked.until("job", unread, lambda found: found == {"chatkit": about(5)})


async def check_waits(asked: Prometheus) -> None:
    for query in (
        "job_operation:chatkit_first_event_seconds:p95_5m",
        "job_operation:chatkit_longest_gap_seconds:p95_5m",
    ):
        found = await asked.until("chatkit_operation", query, lambda found: found != {})
        assert {*found} == {"threads.create"}
        assert 0 < found["threads.create"] < LIMIT
    # All whole answers have waited for the shop.
    median = (
        "histogram_quantile(0.5, sum by (chatkit_outcome, le)"
        ' (chatkit_stream_longest_gap_seconds_bucket{chatkit_outcome="completed"}))'
    )
    assert (await asked.by("chatkit_outcome", median))["completed"] > SHOP_SECONDS / 2
    streams = await asked.by("job", "sum by (job) (chatkit_stream_first_event_duration_seconds_count)")
    assert streams == {"chatkit": 28}


async def check_the_store(asked: Prometheus) -> None:
    failed = await asked.by(
        "chatkit_store_method",
        'sum by (chatkit_store_method) (chatkit_store_duration_seconds_count{error_type="OperationalError"})',
    )
    assert failed == {"add_thread_item": 3}
    ratios = await asked.until(
        "chatkit_store_method",
        "job_method:chatkit_store_errors:ratio_rate5m",
        lambda found: found.get("add_thread_item", 0) > 0,
    )
    assert {method for method, ratio in ratios.items() if ratio > 0} == {"add_thread_item"}
    slow = await asked.by("chatkit_store_method", "job_method:chatkit_store_seconds:p95_5m")
    assert 0 < slow["load_thread_items"] < LIMIT


async def check_open_streams(asked: Prometheus, desk: Desk) -> None:
    query = "sum by (job) (chatkit_stream_active)"
    async with desk.long_answer():
        await asked.until("job", query, lambda found: found == {"chatkit": 1})
    await asked.until("job", query, lambda found: found == {"chatkit": 0})
    events = await asked.by("job", "sum by (job) (chatkit_stream_events_total)")
    assert events["chatkit"] > 28


async def check_rules(asked: Prometheus) -> None:
    groups = (await asked.get("rules"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {
        *re.findall(r"(?:record|alert): (\S+)", (FOLDER / "rules.yml").read_text())
    }
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
