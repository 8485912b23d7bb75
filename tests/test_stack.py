"""All layers around one server, in the only order that works."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import chain, combinations, permutations, product
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.middleware.gzip import GZipMiddleware

from chatkit_prod import ChatKitEndpoint, ConfigurationError, RequestContext, RequestState, harden
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import AuthMiddleware, JWTBearer, OriginMiddleware
from chatkit_prod.exchange import EndpointOptions
from chatkit_prod.layer import Layer
from chatkit_prod.limits import LimitsMiddleware, Rules
from chatkit_prod.locale import LocaleMiddleware, Translations
from chatkit_prod.pii import Detector, PIIMiddleware, RedactingFilter, Scrubber
from chatkit_prod.testing import (
    Answer,
    ChatKitClient,
    LocalIdentityProvider,
    chatkit_request,
    one_of_each,
    user_message,
)
from chatkit_prod.tracing import ClientEventsEndpoint, TracingMiddleware
from tests.layers import Greeter, exchange, get
from tests.pii.fakes import WORD, FakeScrubber
from tests.servers import Script, ScriptedServer, added, delta, done, hello
from tests.tracing.recording import Recorder

pytestmark = pytest.mark.anyio

PROVIDER = LocalIdentityProvider()
BEARER = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)
SIGNED_IN = {"authorization": f"Bearer {PROVIDER.token('alice', scopes=['chat'])}"}
LIST = chatkit_request("threads.list")
CREATE = chatkit_request("threads.create", input=user_message("Hello"))
LOGGERS = ("chatkit", "chatkit_prod", "chatkit_prod.access", "chatkit_prod.audit", "chatkit_prod.client")


class WatchedServer(ScriptedServer):
    """Keeps the contexts that it got."""

    def __init__(self, script: Script = hello) -> None:
        super().__init__(script)
        self.contexts: list[Any] = []
        self.heard: list[str] = []

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        self.contexts.append(context)
        if input_user_message is not None:
            self.heard += [part.text for part in input_user_message.content]
        return super().respond(thread, input_user_message, context)


async def ask(app: ASGIApp, body: bytes = LIST, **headers: str) -> Answer:
    sent = {**SIGNED_IN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await ChatKitClient(app, headers=sent).send(body)


@pytest.fixture(autouse=True)
def _filters_of_its_own() -> Iterator[None]:
    """Take the filters of other tests off the loggers, and put them back: they last as long as the process."""
    before = {name: list(logging.getLogger(name).filters) for name in LOGGERS}
    for name, filters in before.items():
        others = [found for found in filters if not isinstance(found, RedactingFilter)]
        logging.getLogger(name).filters[:] = others
    yield
    for name, filters in before.items():
        logging.getLogger(name).filters[:] = filters


# ------------------------------------------------------------------------------------------------ the order

traced = TracingMiddleware
authenticated = partial(AuthMiddleware, authenticator=BEARER)
guarded = partial(OriginMiddleware, allowed_origins=())
located = partial(LocaleMiddleware, supported=["en"])
limited = partial(LimitsMiddleware, rules=Rules(requests="1000/minute"))
scrubbed = partial(PIIMiddleware, scrubber=FakeScrubber())
endpoint = ChatKitEndpoint(ScriptedServer(hello))

Wrap = Callable[[ASGIApp], ASGIApp]
WRAPS: dict[str, Wrap] = {
    "tracing": traced,
    "origin": guarded,
    "auth": authenticated,
    "locale": located,
    "limits": limited,
    "pii": scrubbed,
}
ORDER = list(WRAPS)


def assemble(names: Sequence[str], inside: ASGIApp, between: Wrap | None = None) -> ASGIApp:
    """Put the layers around an app, the first name outermost, and something between each two."""
    for name in reversed(names):
        inside = WRAPS[name](between(inside) if between else inside)
    return inside


RIGHT = list(chain.from_iterable(combinations(ORDER, count) for count in range(1, len(ORDER) + 1)))
WRONG = [names for count in (2, 3, 4) for names in permutations(ORDER, count) if names not in RIGHT]
TWICE = [names for count in (2, 3) for names in product(ORDER, repeat=count) if len(set(names)) < count]


@pytest.mark.parametrize("names", RIGHT, ids="-".join)
async def test_any_layers_may_be_left_out_of_the_order(names: Sequence[str]) -> None:
    assert (await ask(assemble(names, endpoint))).status == 200


@pytest.mark.parametrize("names", [*WRONG, *TWICE], ids="-".join)
@pytest.mark.parametrize("between", [None, GZipMiddleware], ids=["directly", "through a foreign layer"])
def test_every_other_order_is_refused_at_construction(names: Sequence[str], between: Wrap | None) -> None:
    with pytest.raises(ConfigurationError, match=", ".join([*ORDER, "endpoint"])):
        assemble(names, Greeter(), between)


@pytest.mark.parametrize("names", RIGHT, ids="-".join)
async def test_every_layer_works_in_front_of_any_app(names: Sequence[str]) -> None:
    inside = Greeter()
    scope = get((b"authorization", SIGNED_IN["authorization"].encode()))
    sent = await exchange(assemble(names, inside), scope, {"type": "http.request"})
    assert sent[0]["status"] == 200
    assert sent[1] == inside.messages[1]


@pytest.mark.parametrize("limits", [None, Rules(streams=4)], ids=["without limits", "with limits"])
@pytest.mark.parametrize("pii", [None, FakeScrubber()], ids=["without a scrubber", "with one"])
def test_harden_puts_the_layers_in_their_order(pii: FakeScrubber | None, limits: Rules | None) -> None:
    app: Any = harden(ScriptedServer(hello), auth=BEARER, pii=pii, limits=limits)
    found = list[Layer]()
    while app is not None:
        found.append(app.layer)
        app = getattr(app, "app", None)
    left_out = {Layer.PII: pii is None, Layer.LIMITS: limits is None}
    assert found == [layer for layer in Layer if not left_out.get(layer)]


# ------------------------------------------------------------------------------------------------ the whole


async def test_the_context_of_the_server_holds_what_every_layer_found_out() -> None:
    server = WatchedServer()
    answer = await ask(harden(server, auth=BEARER, locales=["en", "fr"]), CREATE, accept_language="fr-CA")
    assert answer.events[-1]["type"] == "thread.item.done"
    (context,) = server.contexts
    assert isinstance(context, RequestContext)
    assert (context.user_id, context.tenant_id, context.locale) == ("alice", None, "fr")
    assert context.principal.scopes == {"chat"}
    assert context.request_id == answer.headers["x-request-id"]
    assert answer.headers["content-language"] == "fr"
    assert answer.headers["vary"] == "Accept-Language, Origin"


@pytest.mark.parametrize("body", one_of_each().values(), ids=one_of_each().keys())
@pytest.mark.parametrize("authorization", ["", "Bearer forged"], ids=["no token", "a bad token"])
async def test_no_operation_is_answered_without_a_good_token(body: bytes, authorization: str) -> None:
    server = WatchedServer()
    answer = await ask(harden(server, auth=BEARER), body, authorization=authorization)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert server.contexts == []


FORBIDDEN_IN_FRENCH = "Vous n’avez pas l’autorisation d’effectuer cette action."
REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], int, str, str]] = {
    "no token": (
        {},
        {"authorization": ""},
        401,
        "Sign in to continue.",
        "Connectez-vous pour continuer.",
    ),
    "a bad token": (
        {},
        {"authorization": "Bearer forged"},
        401,
        "Your session is no longer valid. Sign in again.",
        "Votre session n’est plus valide. Reconnectez-vous.",
    ),
    "a foreign page": (
        {},
        {"origin": "https://evil.example"},
        403,
        "You are not allowed to do this.",
        FORBIDDEN_IN_FRENCH,
    ),
    "a missing scope": (
        {"required_scopes": ["beta"]},
        {},
        403,
        "You are not allowed to do this.",
        FORBIDDEN_IN_FRENCH,
    ),
    "an absent thread": (
        {},
        {"body": "threads.get_by_id"},
        404,
        "This could not be found.",
        "Cet élément est introuvable.",
    ),
    "a long text": (
        {"max_text_characters": 1},
        {"body": "threads.create"},
        413,
        "Your message is too long. It can have at most 1 character.",
        "Votre message est trop long. Il peut contenir au maximum 1 caractère.",
    ),
}


@pytest.mark.parametrize(
    ("options", "sent", "status", "english", "french"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_whoever_refuses_a_request_does_so_in_the_users_language(
    options: dict[str, Any], sent: dict[str, str], status: int, english: str, french: str
) -> None:
    headers = dict(sent)
    body = one_of_each()[headers.pop("body", "threads.list")]
    speaking = harden(ScriptedServer(hello), auth=BEARER, locales=["en", "fr"], **options)
    silent = harden(ScriptedServer(hello), auth=BEARER, **options)
    for app, asked, text, locale in (
        (speaking, "fr", french, "fr"),
        (speaking, "ja, fr-CA;q=0.5", french, "fr"),
        (speaking, "en", english, "en"),
        (silent, "fr", english, "en"),
    ):
        answer = await ask(app, body, accept_language=asked, **headers)
        assert (answer.status, answer.json()["message"]) == (status, text)
        assert answer.headers["content-language"] == locale
        assert set(answer.headers["vary"].split(", ")) == {"Accept-Language", "Origin"}


@pytest.mark.parametrize("authorization", ["", "Bearer forged"], ids=["no token", "a bad token"])
async def test_the_language_of_a_user_whom_nobody_knows_is_looked_for_elsewhere(authorization: str) -> None:
    sources = ("principal", "header")
    app = harden(ScriptedServer(hello), auth=BEARER, locales=["en", "fr"], locale_sources=sources)
    answer = await ask(app, accept_language="fr", authorization=authorization)
    assert (answer.status, answer.headers["content-language"]) == (401, "fr")
    assert answer.headers["vary"] == "Authorization, Cookie, Accept-Language, Origin"


async def test_the_language_of_a_user_is_looked_for_where_the_app_says() -> None:
    token = PROVIDER.token("alice", locale="fr", hl="de")
    for sources, locale in ((("principal", "header"), "fr"), (("principal:hl",), "de"), (("header",), "en")):
        app = harden(ScriptedServer(hello), auth=BEARER, locales=["en", "fr", "de"], locale_sources=sources)
        answer = await ask(app, accept_language="en", authorization=f"Bearer {token}")
        assert (answer.status, answer.headers["content-language"]) == (200, locale)


async def test_the_catalogs_of_the_app_come_before_ours_also_where_a_request_is_refused(
    tmp_path: Path,
) -> None:
    catalog = Catalog(locale="fr")
    catalog.add("Sign in to continue.", "Montrez votre badge.")
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    app = harden(
        ScriptedServer(hello), auth=BEARER, locales=["en", "fr"], translations=Translations(tmp_path)
    )
    overridden = await ask(app, accept_language="fr", authorization="")
    ours = await ask(app, accept_language="fr", authorization="Bearer forged")
    assert overridden.json()["message"] == "Montrez votre badge."
    assert ours.json()["message"] == "Votre session n’est plus valide. Reconnectez-vous."


@pytest.mark.parametrize("name", ["x_user_id", "x_forwarded_user", "remote_user", "cookie"])
async def test_a_user_id_that_the_client_claims_is_not_believed(name: str) -> None:
    server = WatchedServer()
    app = harden(server, auth=BEARER)
    assert (await ask(app, CREATE, authorization="", **{name: "mallory"})).status == 401
    assert (await ask(app, CREATE, **{name: "mallory"})).status == 200
    assert [context.user_id for context in server.contexts] == ["alice"]


async def test_a_refused_request_is_refused_before_its_body_is_read() -> None:
    async def receive() -> Any:
        pytest.fail("the body was read")

    statuses = list[int]()

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    await harden(ScriptedServer(hello), auth=BEARER)({**get(), "method": "POST"}, receive, send)
    assert statuses[0] == 401


async def test_a_websocket_is_refused_and_the_lifespan_works() -> None:
    app = harden(ScriptedServer(hello), auth=BEARER)
    assert await exchange(app, {**get(), "type": "websocket"}) == [{"type": "websocket.close", "code": 1008}]
    lifespan = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    assert [message["type"] for message in await exchange(app, {"type": "lifespan"}, *lifespan)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


# ------------------------------------------------------------------------------------------------ the options


def test_no_authenticator_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="insecure=True"):
        harden(ScriptedServer(hello), auth=None)


async def test_insecure_written_out_lets_everybody_in_as_one_user() -> None:
    server = WatchedServer()
    app = harden(server, auth=None, insecure=True)
    assert (await ask(app, CREATE, authorization="")).status == 200
    assert (await ask(app, CREATE, authorization="Bearer forged")).status == 200
    first, second = (context.principal for context in server.contexts)
    assert first == second
    assert (first.issuer, first.subject, first.method) == ("insecure", "anonymous", "insecure")


async def test_scopes_are_demanded_of_everybody_but_the_one_user_of_a_laptop() -> None:
    app = harden(ScriptedServer(hello), auth=BEARER, required_scopes=["chat", "beta"])
    refused = await ask(app, CREATE)
    assert (refused.status, refused.json()["code"]) == (403, "insufficient_scope")
    app = harden(ScriptedServer(hello), auth=BEARER, required_scopes=["chat"])
    assert (await ask(app, CREATE)).status == 200
    server = WatchedServer()
    app = harden(server, auth=None, insecure=True, required_scopes=["chat", "beta"])
    assert (await ask(app, CREATE, authorization="")).status == 200
    assert server.contexts[0].principal.scopes == {"chat", "beta"}


@pytest.mark.parametrize("auth", [BEARER, None], ids=["signed in", "insecure"])
@pytest.mark.parametrize("scopes", ["chat", 5, ["a b"]], ids=repr)
def test_scopes_that_are_none_are_named(scopes: Any, auth: Any) -> None:
    with pytest.raises(ConfigurationError, match="required_scopes"):
        harden(ScriptedServer(hello), auth=auth, insecure=auth is None, required_scopes=scopes)


async def test_a_page_may_send_the_headers_that_the_app_allows() -> None:
    page = "https://app.example.com"
    app = harden(ScriptedServer(hello), auth=BEARER, allowed_origins=[page], allowed_headers=["X-Desk"])
    for name, status in (("x-desk", 200), ("x-other", 400)):
        scope = get(
            (b"origin", page.encode()),
            (b"access-control-request-method", b"POST"),
            (b"access-control-request-headers", name.encode()),
        )
        sent = await exchange(app, {**scope, "method": "OPTIONS"})
        assert sent[0]["status"] == status


def test_insecure_beside_an_authenticator_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="insecure=True"):
        harden(ScriptedServer(hello), auth=BEARER, insecure=True)


async def test_a_context_factory_of_the_apps_own_is_used() -> None:
    async def factory(state: RequestState) -> tuple[str, str]:
        return state.principal.subject, state.locale

    server = WatchedServer()
    await ask(harden(server, auth=BEARER, context_factory=factory), CREATE)
    assert server.contexts == [("alice", "en")]


async def test_the_default_locale_is_passed_on() -> None:
    app = harden(ScriptedServer(hello), auth=BEARER, locales=["en", "fr"], default_locale="fr")
    assert (await ask(app, accept_language="ja")).headers["content-language"] == "fr"


async def test_the_tracer_provider_is_passed_on() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    await ask(harden(ScriptedServer(hello), auth=BEARER, tracer_provider=provider))
    assert [span.name for span in exporter.get_finished_spans()] == [
        "store.load_threads",
        "chatkit.process",
        "threads.list",
    ]
    provider.shutdown()


async def test_an_option_of_the_tracing_is_passed_on() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    await ask(
        harden(ScriptedServer(hello), auth=BEARER, tracer_provider=provider, tracing={"user_as": "none"})
    )
    assert "user.id" not in (exporter.get_finished_spans()[-1].attributes or {})
    with pytest.raises(ConfigurationError, match="user_key"):
        harden(ScriptedServer(hello), auth=BEARER, tracing={"user_as": "hash"})
    provider.shutdown()


@pytest.mark.parametrize("option", EndpointOptions.__annotations__)
def test_every_option_of_the_endpoint_is_passed_on(option: str) -> None:
    make: Any = harden
    assert make(ScriptedServer(hello), auth=BEARER, **{option: True if option == "end_at_expiry" else 1})
    with pytest.raises(ConfigurationError, match=option):
        make(ScriptedServer(hello), auth=BEARER, **{option: 0})


async def test_a_limit_of_the_endpoint_takes_effect() -> None:
    app = harden(ScriptedServer(hello), auth=BEARER, max_body_bytes=len(LIST))
    assert (await ask(app, LIST)).status == 200
    assert (await ask(app, LIST + b" ")).status == 413


@pytest.mark.parametrize(
    "options",
    [
        {"server": object()},
        {"auth": "Bearer"},
        {"locales": []},
        {"default_locale": "fr"},
        {"locale_sources": ["body"]},
        {"pii": "all"},
        {"pii": FakeScrubber(), "pii_requests": "drop"},
        {"pii": FakeScrubber(), "pii_responses": "reject"},
        {"pii_requests": "redact"},
        {"pii_responses": "off"},
    ],
    ids=[
        "server",
        "auth",
        "locales",
        "default_locale",
        "locale_sources",
        "pii",
        "pii_requests",
        "pii_responses",
        "requests without a scrubber",
        "responses without a scrubber",
    ],
)
def test_a_wrong_option_of_any_layer_is_refused_at_construction(options: dict[str, Any]) -> None:
    make: Any = harden
    with pytest.raises(ConfigurationError):
        make(**{"server": ScriptedServer(hello), "auth": BEARER, **options})


# ------------------------------------------------------------------------------------------------ personal data

EMPLOYEE = Detector(name="employee", type="EMPLOYEE", pattern="EMP-[0-9]{6}", trigger="EMP-")
SCRUBBER = Scrubber([EMPLOYEE], action="label")
TOLD = "I am EMP-004711."


async def telling(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    yield added(thread)
    for letter in TOLD:
        yield delta(letter)
    yield done(thread, TOLD)


def words(answer: Answer) -> tuple[str, str]:
    """Return what was streamed, and the text of the item at the end."""
    updates = [event["update"] for event in answer.events if event["type"] == "thread.item.updated"]
    return "".join(update["delta"] for update in updates), answer.events[-1]["item"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("options", "heard", "told"),
    [
        ({}, "I am [EMPLOYEE].", "I am [EMPLOYEE]."),
        ({"pii_requests": "off"}, TOLD, "I am [EMPLOYEE]."),
        ({"pii_responses": "off"}, "I am [EMPLOYEE].", TOLD),
        ({"pii": None}, TOLD, TOLD),
    ],
    ids=["both", "answers alone", "requests alone", "no scrubber"],
)
async def test_a_scrubber_stands_between_the_user_and_the_server(
    options: dict[str, Any], heard: str, told: str
) -> None:
    make: Any = harden
    server = WatchedServer(telling)
    app = make(server, auth=BEARER, **{"pii": SCRUBBER, **options})
    answer = await ask(app, chatkit_request("threads.create", input=user_message(TOLD)))
    assert server.heard == [heard]
    assert words(answer) == (told, told)


async def test_a_message_with_personal_data_is_refused_in_the_users_language_where_that_is_wanted() -> None:
    server = WatchedServer()
    app = harden(server, auth=BEARER, pii=SCRUBBER, pii_requests="reject", locales=["en", "fr"])
    answer = await ask(app, chatkit_request("threads.create", input=user_message(TOLD)), accept_language="fr")
    assert (answer.status, answer.json()["code"], answer.json()["types"]) == (
        422,
        "personal_data",
        ["EMPLOYEE"],
    )
    assert answer.headers["content-language"] == "fr"
    assert server.contexts == []
    assert (await ask(app, CREATE)).status == 200


@pytest.mark.parametrize(
    ("option", "value", "body"),
    [
        ("max_body_bytes", 5_000_000, LIST + b" " * 4_500_000),
        (
            "max_json_values",
            30_000,
            chatkit_request("threads.list", metadata={"values": [0] * 25_000}),
        ),
    ],
    ids=["bytes", "values"],
)
async def test_a_limit_of_the_endpoint_holds_for_who_reads_the_body_before_it(
    option: str, value: int, body: bytes
) -> None:
    make: Any = harden
    for limit, status in (({}, 413), ({option: value}, 200)):
        app = make(ScriptedServer(hello), auth=BEARER, pii=FakeScrubber(), **limit)
        assert (await ask(app, body)).status == status


async def test_findings_are_counted_where_the_other_metrics_are() -> None:
    recorder = Recorder()
    app = harden(ScriptedServer(telling), auth=BEARER, pii=SCRUBBER, meter_provider=recorder.meters)
    await ask(app, CREATE)
    assert {found["chatkit.pii.type"] for found, _ in recorder.points("chatkit.pii.findings")} == {"EMPLOYEE"}


async def test_what_is_forwarded_of_a_page_is_scrubbed_too() -> None:
    recorder = Recorder()
    pages = AuthMiddleware(
        ClientEventsEndpoint(scrubber=SCRUBBER, logger_provider=recorder.loggers), authenticator=BEARER
    )
    event = {"name": "composer.submit", "data": {"item_id": "EMP-004711", "thread_id": "thr_4f2a"}}
    body = json.dumps({"session": "ab" * 16, "events": [event]}).encode()
    assert (await ChatKitClient(pages, path="/client-events", headers=SIGNED_IN).send(body)).status == 204
    (record,) = recorder.records
    kept = record.log_record.attributes or {}
    assert (kept["chatkit.item.id"], kept["gen_ai.conversation.id"]) == ("[EMPLOYEE]", "thr_4f2a")


# ------------------------------------------------------------------------------------------------ the log


async def test_an_address_in_a_user_id_stays_out_of_the_access_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.access")
    token = PROVIDER.token("alice@example.com")
    await ask(harden(ScriptedServer(hello), auth=BEARER), authorization=f"Bearer {token}")
    assert 'user_id="[EMAIL]"' in caplog.text
    assert "alice@example.com" not in caplog.text


async def test_chatkits_own_log_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        raise RuntimeError("cannot reach alice@example.com")
        yield done(thread, "")

    await ask(harden(ScriptedServer(failing), auth=BEARER), CREATE)
    assert "cannot reach [EMAIL]" in caplog.text
    assert "alice@example.com" not in caplog.text


def test_the_filter_is_added_once_however_many_apps_there_are() -> None:
    for _ in range(3):
        harden(ScriptedServer(hello), auth=BEARER)
    for name in LOGGERS:
        found = logging.getLogger(name).filters
        assert sum(isinstance(each, RedactingFilter) for each in found) == 1
        assert len(found) == len({type(each) for each in found})


async def failing_for_an_employee(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    yield added(thread)
    raise RuntimeError("cannot reach EMP-004711")


async def test_the_log_is_redacted_by_the_scrubber_of_the_app(caplog: pytest.LogCaptureFixture) -> None:
    await ask(harden(ScriptedServer(failing_for_an_employee), auth=BEARER, pii=SCRUBBER), CREATE)
    assert "cannot reach [EMPLOYEE]" in caplog.text
    assert "004711" not in caplog.text


async def test_a_scrubber_that_is_slow_is_not_asked_about_the_log(caplog: pytest.LogCaptureFixture) -> None:
    slow = FakeScrubber(is_slow=True)
    harden(ScriptedServer(hello), auth=BEARER, pii=slow)
    logging.getLogger("chatkit_prod").warning("%s is alice@example.com", WORD)
    assert f"{WORD} is [EMAIL]" in caplog.text
    assert slow.calls == 0


def test_of_several_apps_the_last_one_with_a_scrubber_has_the_only_filter() -> None:
    own = RedactingFilter(FakeScrubber())
    logging.getLogger("chatkit_prod").addFilter(own)
    for pii in (None, SCRUBBER, FakeScrubber(), None):
        harden(ScriptedServer(hello), auth=BEARER, pii=pii)
    for name in LOGGERS:
        found = [found for found in logging.getLogger(name).filters if isinstance(found, RedactingFilter)]
        assert len(found) == (2 if name == "chatkit_prod" else 1)
    assert own in logging.getLogger("chatkit_prod").filters


async def test_an_app_without_a_scrubber_does_not_take_the_one_of_another_app_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    harden(ScriptedServer(hello), auth=BEARER, pii=SCRUBBER)
    await ask(harden(ScriptedServer(failing_for_an_employee), auth=BEARER), CREATE)
    assert "004711" not in caplog.text
