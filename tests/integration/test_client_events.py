"""A real Chromium with our module on the page: what happens there ends up in the trace of the request, and nothing else does."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from chatkit.types import ThreadMetadata, ThreadStreamEvent
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from playwright.async_api import BrowserContext, Page, Route
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as Path

from chatkit_prod import ChatKitEndpoint, Principal
from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware
from chatkit_prod.testing import chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware, names
from chatkit_prod.tracing.client_events import ClientEventsEndpoint
from tests.path.servers import LIMIT, serve
from tests.servers import ScriptedServer, added

pytestmark = pytest.mark.anyio

CREATE = chatkit_request("threads.create", input=user_message("CANARY in a message")).decode()
CANARY = "CANARY"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

PAGE = """<!doctype html><title>Help desk</title><openai-chatkit></openai-chatkit>
<script type="module" nonce="page">
import { createTelemetry } from "/client-events/chatkit-prod.js";
customElements.define("openai-chatkit", class extends HTMLElement {});
const element = document.querySelector("openai-chatkit");
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
window.createTelemetry = createTelemetry;
window.telemetry = createTelemetry({ endpoint: "/client-events", interval: INTERVAL });
window.detach = telemetry.attach(element);
window.say = (type, detail) => element.dispatchEvent(new CustomEvent(type, { detail }));
window.ask = async (body) => {
  const answer = await telemetry.fetch("/chatkit", {
    method: "POST", body, headers: { "content-type": "application/json" },
  });
  return { status: answer.status, text: await answer.text() };
};
</script>"""
POLICY = "default-src 'none'; script-src 'self' 'nonce-page'; connect-src 'self'"


class Anybody:
    """Takes everybody for Alice."""

    challenge = "None"

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        return Principal(issuer="door", subject="alice")


class Desk:
    """A page, its ChatKit endpoint, whose answers fail, and the endpoint for what the page has to tell.

    Args:
        interval: Milliseconds for which the page collects events.
        options: Those of the endpoint for events.

    Attributes:
        app: The ASGI app.
        url: Where it is served.
        asked: The headers of the ChatKit requests, and their bodies.
        told: The headers of the batches of events, and their bodies.
    """

    url: str

    def __init__(self, *, interval: int, **options: Any) -> None:
        self._interval = interval
        self._spans = InMemorySpanExporter()
        self._records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self._news = asyncio.Event()
        self.asked: list[tuple[dict[str, str], str]] = []
        self.told: list[tuple[dict[str, str], str]] = []
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._records))
        chatkit = AuthMiddleware(ChatKitEndpoint(ScriptedServer(_fail)), authenticator=Anybody())
        events = AuthMiddleware(
            ClientEventsEndpoint(logger_provider=self.loggers, **options), authenticator=Anybody()
        )
        traced = TracingMiddleware(chatkit, tracer_provider=self.tracers)
        self.app = Starlette(
            routes=[
                Path("/", self._page),
                Path("/chatkit", _Overheard(traced, self.asked, self._news)),
                Path("/client-events", _Overheard(events, self.told, self._news)),
                Path("/client-events/{file}", events),
            ]
        )

    def close(self) -> None:
        self.tracers.shutdown()
        self.loggers.shutdown()

    async def _page(self, request: Request) -> Response:
        text = PAGE.replace("INTERVAL", str(self._interval))
        return HTMLResponse(text, headers={"content-security-policy": POLICY})

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()

    @property
    def records(self) -> tuple[ReadableLogRecord, ...]:
        return self._records.get_finished_logs()

    @property
    def events(self) -> list[Any]:
        """The events of all batches."""
        return [event for _, body in self.told for event in json.loads(body)["events"]]

    async def recorded(self, count: int) -> tuple[ReadableLogRecord, ...]:
        """Wait until there are so many records."""
        await self._until(lambda: len(self.records) >= count)
        return self.records

    async def was_told(self, count: int) -> None:
        """Wait until so many batches have been answered."""
        await self._until(lambda: len(self.told) >= count)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not is_so():
                self._news.clear()
                await self._news.wait()


async def _fail(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    yield added(thread)
    raise RuntimeError(CANARY)


class _Overheard:
    """Keeps what an app is asked, and tells when it has answered."""

    def __init__(self, app: ASGIApp, heard: list[tuple[dict[str, str], str]], news: asyncio.Event) -> None:
        self.app = app
        self._heard = heard
        self._news = news

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        parts: list[bytes] = []

        async def receive_overheard() -> Message:
            message = await receive()
            parts.append(message.get("body", b""))
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._heard.append((headers, b"".join(parts).decode()))
            return message

        try:
            await self.app(scope, receive_overheard, send)
        finally:
            self._news.set()


class Visit:
    """A tab at a desk.

    Args:
        page: The tab.
        stack: Ends what was started for it.
    """

    desk: Desk

    def __init__(self, page: Page, stack: AsyncExitStack) -> None:
        self.page = page
        self._stack = stack

    async def open(self, *, interval: int = 20, **options: Any) -> Desk:
        """Go to a new desk."""
        self.desk = desk = Desk(interval=interval, **options)
        self._stack.callback(desk.close)
        port = await self._stack.enter_async_context(serve(desk.app))
        desk.url = f"http://127.0.0.1:{port}/"
        await self.page.goto(desk.url)
        return desk

    async def run(self, script: str, argument: object = None) -> Any:
        """Run a function in the page."""
        return await asyncio.wait_for(self.page.evaluate(script, argument), LIMIT)

    async def ask(self, body: str = CREATE) -> Any:
        """Send a ChatKit request as the page does."""
        return await self.run("(body) => ask(body)", body)

    async def say(self, kind: str, detail: object) -> None:
        """Let ChatKit raise an event on the page."""
        await self.run("([kind, detail]) => { say(kind, detail) }", [kind, detail])

    async def throw(self, name: str = "StreamError", message: str = CANARY) -> None:
        """Let ChatKit report an error."""
        await self.run(
            """([name, message]) => {
                say("chatkit.error", { error: Object.assign(new Error(message), { name }) });
            }""",
            [name, message],
        )

    async def flush(self) -> None:
        await self.run("() => telemetry.flush()")

    async def faults(self) -> Any:
        """Return what the page has seen of our own errors."""
        return await self.run("() => faults")


@pytest.fixture
async def visit(browser: BrowserContext) -> AsyncGenerator[Visit]:
    page = await browser.new_page()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(page.close)
        yield Visit(page, stack)


def trace_of(found: ReadableSpan | ReadableLogRecord) -> str:
    if isinstance(found, ReadableLogRecord):
        return f"{found.log_record.trace_id:032x}"
    context = found.get_span_context()
    assert context
    return f"{context.trace_id:032x}"


def attributes(record: ReadableLogRecord) -> dict[str, Any]:
    return dict(record.log_record.attributes or {})


# ------------------------------------------------------------------------------------------------ one trace


async def test_an_event_of_the_page_and_the_request_that_failed_are_in_one_trace(visit: Visit) -> None:
    desk = await visit.open()
    answer = await visit.ask()
    thread = json.loads(answer["text"].partition("\n")[0].removeprefix("data: "))["thread"]["id"]
    await visit.say("chatkit.thread.change", {"threadId": thread})
    await visit.throw()
    (record,) = await desk.recorded(1)
    (span,) = desk.spans
    assert answer["status"] == 200
    assert (span.attributes or {})[names.OUTCOME] == "error"
    assert trace_of(record) == trace_of(span)
    assert record.log_record.event_name == names.CLIENT_ERROR
    assert attributes(record) == {
        names.CLIENT_EVENT: "chatkit.error",
        names.USER_ID: "alice",
        names.SESSION_ID: await visit.run("() => telemetry.session"),
        names.CONVERSATION_ID: thread,
        names.ERROR_TYPE: "StreamError",
        names.HTTP_STATUS: 200,
        names.REQUEST_ID: attributes(record)[names.REQUEST_ID],
    }
    assert len(attributes(record)[names.REQUEST_ID]) == 32
    assert desk.asked[0][0]["chatkit-session"] == attributes(record)[names.SESSION_ID]


async def test_an_event_belongs_to_the_latest_request_of_its_thread_or_else_to_the_latest(
    visit: Visit,
) -> None:
    desk = await visit.open()
    for thread in ("thr_1", "thr_2"):
        await visit.ask(chatkit_request("threads.get_by_id", thread_id=thread).decode())
    await visit.ask(chatkit_request("threads.list").decode())
    for data in ({"thread_id": "thr_1"}, {"threadId": "thr_2"}, {"thread_id": "thr_3"}, {}):
        await visit.say("chatkit.log", {"name": "a", "data": data})
    records = await desk.recorded(4)
    first, second, third = (trace_of(span) for span in desk.spans)
    assert [trace_of(record) for record in records] == [first, second, third, third]
    assert [attributes(record)[names.HTTP_STATUS] for record in records] == [404, 404, 200, 200]


async def test_an_event_of_a_new_thread_belongs_to_the_request_that_made_it(visit: Visit) -> None:
    desk = await visit.open()
    await visit.ask()
    await visit.ask(chatkit_request("threads.list").decode())
    await visit.say("chatkit.thread.change", {"threadId": "thr_new"})
    await visit.throw()
    (record,) = await desk.recorded(1)
    assert trace_of(record) == trace_of(desk.spans[0])
    assert attributes(record)[names.CONVERSATION_ID] == "thr_new"


async def test_the_options_for_react_tell_us_and_the_apps_own_handlers(visit: Visit) -> None:
    desk = await visit.open()
    seen = await visit.run(
        """() => {
            const seen = [];
            const own = { onLog: ({ name }) => seen.push(name), onReady: () => seen.push("ready") };
            const options = telemetry.options(own);
            options.onThreadChange({ threadId: "thr_1" });
            options.onLog({ name: "composer.submit", data: { item_id: "msg_1", text: "CANARY" } });
            options.onError({ error: new TypeError("CANARY") });
            options.onReady();
            telemetry.options().onLog({ name: "another" });
            return seen;
        }"""
    )
    assert seen == ["composer.submit", "ready"]
    records = await desk.recorded(3)
    assert [attributes(record)[names.CONVERSATION_ID] for record in records] == ["thr_1"] * 3
    assert attributes(records[0])[names.ITEM_ID] == "msg_1"
    assert attributes(records[1])[names.ERROR_TYPE] == "TypeError"


async def test_an_element_is_listened_to_until_somebody_ends_it(visit: Visit) -> None:
    desk = await visit.open()
    await visit.throw("First")
    await visit.run("() => detach()")
    await visit.throw("Second")
    await visit.flush()
    assert [event["data"]["error"] for event in desk.events] == ["First"]


# ------------------------------------------------------------------------------------------------ nothing else

LOUD = """() => {
    const secret = "CANARY of a user";
    const deep = { text: secret, content: [{ text: secret }], [secret]: secret };
    say("chatkit.log", { name: "composer.submit", message: secret, data: {
        ...deep, data: [deep], title: secret, arguments: { city: secret }, result: secret, token: "CANARY",
        thread_id: "thr_1", itemId: "msg_1", attachment_id: "att_1", request_id: "req_1", code: "rate_limit",
        error: "TypeError", statusCode: 502, duration_ms: 12.4, url: "/?q=CANARY", user: "CANARY",
    } });
    const error = new TypeError(secret, { cause: new Error(secret) });
    say("chatkit.error", { error: Object.assign(error, { code: "stream.error", status: 500, body: secret }) });
    say("chatkit.log", { name: secret, data: {} });
    for (const value of [secret, "CANARY@example.com", ["CANARY"], { CANARY: 1 }, () => "CANARY", new String("CANARY")])
        say("chatkit.log", { name: "b", data: {
            thread_id: value, item_id: value, attachment_id: value, request_id: value, code: value, error: value,
            status: value, duration_ms: value,
        } });
    say("chatkit.thread.change", { threadId: secret });
    say("chatkit.error", { error: Object.assign(new Error(secret), { name: secret, code: secret }) });
}"""


async def test_nothing_but_what_the_table_names_leaves_the_page(visit: Visit) -> None:
    desk = await visit.open()
    sent: list[str] = []
    visit.page.on(
        "request", lambda request: sent.append(f"{request.url} {request.headers} {request.post_data}")
    )
    await visit.run(LOUD)
    await desk.recorded(9)
    kept = {
        "thread_id": "thr_1",
        "item_id": "msg_1",
        "attachment_id": "att_1",
        "request_id": "req_1",
        "code": "rate_limit",
        "error": "TypeError",
        "status": 502,
        "duration_ms": 12,
    }
    events = desk.events
    assert all(isinstance(event.pop("time"), int) for event in events)
    assert events == [
        {"name": "composer.submit", "data": kept},
        {"name": "chatkit.error", "data": {"code": "stream.error", "error": "TypeError", "status": 500}},
        *[{"name": "b", "data": {}}] * 6,
        {"name": "chatkit.error", "data": {}},
    ]
    session = await visit.run("() => telemetry.session")
    for _, body in desk.told:
        batch = json.loads(body)
        assert batch.keys() == {"session", "lost", "events"}
        assert (batch["session"], batch["lost"]) == (session, 0)
    assert sent
    assert CANARY.lower() not in "".join(sent).lower()
    assert all(CANARY not in record.to_json() for record in desk.records)


async def test_whatever_the_page_hands_over_nothing_is_thrown_into_it(visit: Visit) -> None:
    desk = await visit.open()
    await visit.run(
        """() => {
            const bomb = () => { throw new Error("bomb") };
            const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((name) => [name, bomb]));
            const proxy = new Proxy({}, traps);
            const revoked = Proxy.revocable({}, {});
            revoked.revoke();
            const getter = Object.defineProperty({}, "name", { get: bomb });
            const hostile = [null, undefined, 1, "text", Symbol("x"), proxy, revoked.proxy, getter, bomb, [], 1n];
            const options = telemetry.options();
            for (const thing of hostile)
                for (const detail of [thing, { name: thing, data: thing, error: thing, threadId: thing },
                                      { name: "a", data: { code: thing, status: thing } }]) {
                    for (const type of ["chatkit.log", "chatkit.error", "chatkit.thread.change"]) say(type, detail);
                    for (const heard of ["onLog", "onError", "onThreadChange"]) options[heard](detail);
                }
        }"""
    )
    await visit.flush()
    told = len(desk.records)
    await visit.run(
        """() => {
            const data = { item_id: "msg_1", get code() { throw new Error("bomb") } };
            say("chatkit.log", { name: "afterwards", data });
        }"""
    )
    last = (await desk.recorded(told + 1))[-1]
    assert attributes(last)[names.CLIENT_EVENT] == "afterwards"
    assert attributes(last)[names.ITEM_ID] == "msg_1"
    assert await visit.faults() == []


# ------------------------------------------------------------------------------------------------ delivery


@pytest.mark.parametrize("failure", ["nobody listens", "500", "401", "not even HTTP"])
async def test_the_page_goes_on_when_the_endpoint_is_down_and_recovers(visit: Visit, failure: str) -> None:
    desk = await visit.open()
    failed = asyncio.Event()

    async def fail(route: Route) -> None:
        if failure == "nobody listens":
            await route.abort("connectionrefused")
        elif failure == "not even HTTP":
            await route.abort("failed")
        else:
            await route.fulfill(status=int(failure), body="{}")
        failed.set()

    await visit.page.route("**/client-events", fail)
    await visit.throw("First")
    await asyncio.wait_for(failed.wait(), LIMIT)
    answer = await visit.ask()
    await visit.throw("Second")
    assert answer["status"] == 200
    assert "thread.created" in answer["text"]
    assert desk.told == []
    await visit.page.unroute("**/client-events")
    records = await desk.recorded(2)
    assert [attributes(record)[names.ERROR_TYPE] for record in records] == ["First", "Second"]
    assert await visit.faults() == []


async def test_the_page_waits_longer_each_time_that_a_batch_fails(visit: Visit) -> None:
    await visit.page.clock.install()
    seconds, tries = list[int](), list[int]()

    async def fail(route: Route) -> None:
        tries.append(len(seconds))
        await route.fulfill(status=503)

    await visit.page.route("**/client-events", fail)
    await visit.open()
    await visit.throw()
    for second in range(64):
        seconds.append(second)
        await visit.page.clock.run_for(1000)
        await visit.run("() => new Promise((done) => queueMicrotask(done))")
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert 5 <= len(tries) <= 9
    assert gaps[-1] > gaps[0]
    assert max(gaps) <= 34


async def test_a_user_who_sends_too_much_is_left_alone_for_as_long_as_the_server_says(visit: Visit) -> None:
    await visit.page.clock.install()
    desk = await visit.open(max_events=2, max_events_per_minute=2)
    await visit.throw("First")
    await visit.throw("Second")
    await visit.flush()
    await visit.throw("Third")
    await visit.flush()
    assert len(desk.told) == 2
    assert len(desk.records) == 2
    await visit.page.clock.run_for(28_000)
    assert len(desk.told) == 2
    await visit.page.clock.run_for(4_000)
    await desk.was_told(3)
    assert desk.events[-1]["data"]["error"] == "Third"


async def test_a_batch_that_is_too_large_is_sent_in_smaller_ones(visit: Visit) -> None:
    await visit.page.clock.install()
    desk = await visit.open(max_events=7)
    await visit.run("() => { for (let i = 0; i < 30; i++) say('chatkit.log', { name: `event_${i}` }) }")
    for _ in range(40):
        await visit.flush()
    names_seen = [attributes(record)[names.CLIENT_EVENT] for record in await desk.recorded(30)]
    assert names_seen == [f"event_{number}" for number in range(30)]


async def test_a_batch_that_the_endpoint_cannot_read_is_given_up(visit: Visit) -> None:
    await visit.page.clock.install()
    desk = await visit.open()

    async def refuse(route: Route) -> None:
        await route.fulfill(status=400)

    await visit.page.route("**/client-events", refuse)
    await visit.throw("First")
    await visit.flush()
    await visit.page.unroute("**/client-events")
    await visit.throw("Second")
    await visit.flush()
    await desk.recorded(1)
    assert [event["data"]["error"] for event in desk.events] == ["Second"]
    assert json.loads(desk.told[0][1])["lost"] == 1


async def test_the_oldest_events_are_given_up_and_counted_when_there_are_too_many(visit: Visit) -> None:
    await visit.page.clock.install()
    desk = await visit.open()

    async def fail(route: Route) -> None:
        await route.fulfill(status=503)

    await visit.page.route("**/client-events", fail)
    await visit.run("() => { for (let i = 0; i < 620; i++) say('chatkit.log', { name: `event_${i}` }) }")
    await visit.flush()
    await visit.page.unroute("**/client-events")
    for _ in range(12):
        await visit.flush()
    records = await desk.recorded(500)
    found = [attributes(record)[names.CLIENT_EVENT] for record in records]
    assert found == [f"event_{number}" for number in range(120, 620)]
    assert sum(json.loads(body)["lost"] for _, body in desk.told) == 120
    assert all(len(body) < 60_000 for _, body in desk.told)


async def test_a_batch_of_the_longest_events_is_below_what_browsers_keep_alive(visit: Visit) -> None:
    await visit.page.clock.install()
    desk = await visit.open()
    await visit.run(
        """() => {
            const id = "x".repeat(128), word = "x".repeat(64);
            for (let i = 0; i < 100; i++) say("chatkit.log", { name: word, data: {
                thread_id: id, item_id: id, attachment_id: id, request_id: word, code: word, error: word,
                status: 500, duration_ms: 86400000,
            } });
        }"""
    )
    for _ in range(10):
        await visit.flush()
    await desk.recorded(100)
    assert max(len(body) for _, body in desk.told) < 32 * 1024


@pytest.mark.parametrize("way", ["another page", "closed", "hidden", "put aside"])
async def test_what_is_left_is_sent_when_the_page_goes_away(visit: Visit, way: str) -> None:
    desk = await visit.open(interval=3_600_000)
    await visit.throw()
    assert desk.told == []
    if way == "another page":
        await visit.page.goto("about:blank")
    elif way == "closed":
        await visit.page.close(run_before_unload=True)
    elif way == "put aside":
        await visit.run("() => { dispatchEvent(new Event('pagehide')) }")
    else:
        await visit.run(
            """() => {
                Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
                document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
    (record,) = await desk.recorded(1)
    assert attributes(record)[names.ERROR_TYPE] == "StreamError"


async def test_credentials_of_the_page_go_along_with_every_batch(visit: Visit) -> None:
    desk = await visit.open()
    await visit.run(
        """async () => {
            let count = 0;
            const headers = async () => ({ authorization: `Bearer ${++count}` });
            const other = createTelemetry({ endpoint: "/client-events", headers });
            for (const name of ["a", "b"]) {
                other.options().onLog({ name });
                await other.flush();
            }
        }"""
    )
    assert [headers["authorization"] for headers, _ in desk.told] == ["Bearer 1", "Bearer 2"]


async def test_a_batch_may_outlive_its_page_and_carries_its_cookies(visit: Visit) -> None:
    await visit.open()
    assert await visit.run(
        """async () => {
            const seen = [];
            const fetch = async (input, init) => { seen.push([init.keepalive, init.credentials]) };
            for (const credentials of [undefined, "omit"]) {
                const other = createTelemetry({ endpoint: "/client-events", fetch, credentials });
                other.options().onLog({ name: "a" });
                await other.flush();
            }
            return seen;
        }"""
    ) == [[True, "include"], [True, "omit"]]


# ------------------------------------------------------------------------------------------------ fetch

KINDS = {
    "an object": "['/chatkit', {method: 'POST', body, headers: {'Content-Type': 'application/json', 'X-Own': '1'}}]",
    "an array": "['/chatkit', {method: 'POST', body, headers: [['content-type', 'application/json'], ['x-own', '1']]}]",
    "Headers": """['/chatkit', {method: 'POST', body,
        headers: new Headers({'content-type': 'application/json', 'x-own': '1'})}]""",
    "a Request": """[new Request('/chatkit', {method: 'POST', body,
        headers: {'content-type': 'application/json', 'x-own': '1'}})]""",
    "a URL": "[new URL('/chatkit', location), {method: 'POST', body, headers: {'content-type': 'application/json', 'x-own': '1'}}]",
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_keeps_everything_and_gets_a_trace_and_a_session(visit: Visit, kind: str) -> None:
    desk = await visit.open()
    await visit.run(f"async (body) => {{ await telemetry.fetch(...{KINDS[kind]}) }}", CREATE)
    ((headers, body),) = desk.asked
    assert body == CREATE
    assert headers["content-type"] == "application/json"
    assert headers["x-own"] == "1"
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, len(trace_id), len(span_id), flags) == ("00", 32, 16, "01")
    assert headers["chatkit-session"] == await visit.run("() => telemetry.session")


async def test_options_that_cannot_be_copied_are_passed_on_as_they_are(visit: Visit) -> None:
    await visit.open()
    assert await visit.run(
        """async () => {
            const seen = [];
            const fetch = async (input, init) => { seen.push(init) };
            const request = new Request("/chatkit");
            await createTelemetry({ endpoint: "/client-events", fetch }).fetch("/chatkit", request);
            return seen[0] === request;
        }"""
    )


@pytest.mark.parametrize("given", ["options", "Request"])
async def test_a_traceparent_that_is_there_stays_and_its_trace_is_that_of_the_events(
    visit: Visit, given: str
) -> None:
    desk = await visit.open()
    await visit.run(
        """async ([body, traceparent, given]) => {
            const options = { method: "POST", body, headers: { "content-type": "application/json", traceparent } };
            const asked = given === "Request" ? [new Request("/chatkit", options)] : ["/chatkit", options];
            await (await telemetry.fetch(...asked)).text();
        }""",
        [CREATE, PARENT, given],
    )
    await visit.throw()
    (record,) = await desk.recorded(1)
    assert desk.asked[0][0]["traceparent"] == PARENT
    assert trace_of(record) == trace_of(desk.spans[0]) == PARENT.split("-")[1]


async def test_two_requests_are_in_two_traces(visit: Visit) -> None:
    desk = await visit.open()
    await visit.ask()
    await visit.ask()
    assert len({trace_of(span) for span in desk.spans}) == 2


async def test_what_fetch_returns_is_returned_untouched(visit: Visit) -> None:
    await visit.open()
    assert await visit.run(
        """async () => {
            const answers = [Promise.resolve(new Response("text")), Promise.reject(new TypeError("down"))];
            const same = answers.map((answer) => {
                const other = createTelemetry({ endpoint: "/client-events", fetch: () => answer });
                const returned = other.fetch("/chatkit", { method: "POST", body: "{}" });
                return returned === answer;
            });
            const used = (await answers[0]).bodyUsed;
            const reason = await answers[1].catch((error) => error.message);
            return [...same, used, reason];
        }"""
    ) == [True, True, False, "down"]
    assert await visit.faults() == []


async def test_a_request_to_another_origin_is_passed_on_as_it_is_unless_the_app_names_it(
    visit: Visit,
) -> None:
    await visit.open()
    assert await visit.run(
        """async () => {
            const seen = [];
            const fetch = async (input, init) => { seen.push(new Headers(init?.headers).has("traceparent")) };
            const options = { endpoint: "https://api.example.com/client-events", fetch,
                              origins: ["https://chat.example.com"] };
            const other = createTelemetry(options);
            for (const url of ["/chatkit", "https://api.example.com/chatkit", "https://chat.example.com/",
                               "https://files.example.net/upload?signature=1", "https://evil.example/"])
                await other.fetch(url, { method: "POST", body: "{}" });
            return seen;
        }"""
    ) == [True, True, True, False, False]


async def test_options_that_fetch_itself_refuses_are_refused_by_it(visit: Visit) -> None:
    await visit.open()
    script = """() => telemetry.fetch(%s).then(() => "answered", (error) => error.name)"""
    assert await visit.run(script % '"/chatkit", { headers: { "two words": "1" } }') == "TypeError"
    assert await visit.run(script % '"http://[", {}') == "TypeError"


async def test_the_module_may_stand_in_the_place_of_the_pages_own_fetch(visit: Visit) -> None:
    desk = await visit.open()
    await visit.run("() => { window.fetch = telemetry.fetch }")
    await visit.run(
        """async (body) => {
            await fetch("/chatkit", { method: "POST", body, headers: { "content-type": "application/json" } });
        }""",
        CREATE,
    )
    await visit.throw()
    await desk.recorded(1)
    assert "traceparent" in desk.asked[0][0]


# ------------------------------------------------------------------------------------------------ the session


async def test_the_session_is_that_of_the_tab(visit: Visit) -> None:
    await visit.open()
    first = await visit.run("() => telemetry.session")
    await visit.page.reload()
    assert await visit.run("() => telemetry.session") == first
    await visit.run("() => sessionStorage.setItem('chatkit-prod.session', 'CANARY')")
    await visit.page.reload()
    later = await visit.run("() => telemetry.session")
    assert later != first
    assert len(later) == 32


async def test_a_page_that_may_not_store_anything_has_a_session_until_it_is_gone(visit: Visit) -> None:
    await visit.page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied') } })"
    )
    desk = await visit.open()
    await visit.ask()
    await visit.throw()
    (record,) = await desk.recorded(1)
    assert attributes(record)[names.SESSION_ID] == desk.asked[0][0]["chatkit-session"]
    assert await visit.faults() == []
