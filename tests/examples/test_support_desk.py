"""The example does what it is an example of."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext
from chatkit.types import AssistantMessageItem, ThreadMetadata

from chatkit_prod import Principal, RequestContext, harden
from chatkit_prod.access import OwnerOnly
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import JWTBearer
from chatkit_prod.locale import Translations, language_instruction
from chatkit_prod.pii import Scrubber
from chatkit_prod.testing import ChatKitClient, LocalIdentityProvider, chatkit_request, user_message
from examples.stores.sqlite import SQLiteStore
from examples.support_desk import shop, smoke, tour
from examples.support_desk.__main__ import take_tour
from examples.support_desk.lines import LINES
from examples.support_desk.model import ScriptedModel, choose_model
from examples.support_desk.server import SupportDesk
from examples.support_desk.tools import DeskContext, look_up_order, open_ticket

pytestmark = pytest.mark.anyio

PROVIDER = LocalIdentityProvider(algorithm="ES256")
LOCALES = Path(tour.__file__).with_name("locales")
NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - ChatKit's own times are naive


ALICE = RequestContext(principal=Principal(issuer=PROVIDER.issuer, subject="alice"), locale="en")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SQLiteStore]:
    async with SQLiteStore(tmp_path / "desk.sqlite3") as opened:
        yield opened


@pytest.fixture
def app(store: SQLiteStore) -> ASGIApp:
    return harden(
        SupportDesk(store, model=ScriptedModel(pause=0.001)),
        auth=JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks),
        access=OwnerOnly(),
        locales=["en", "fr", "de"],
        translations=Translations(LOCALES),
        pii=Scrubber(action="label"),
    )


def client_of(app: ASGIApp, user: str, locale: str = "en") -> ChatKitClient:
    return ChatKitClient(
        app, headers={"authorization": f"Bearer {PROVIDER.token(user)}", "accept-language": locale}
    )


def create(text: str) -> bytes:
    return chatkit_request("threads.create", input=user_message(text))


def words(events: list[Any]) -> str:
    """Return what the assistant has said in the end."""
    items = [event["item"] for event in events if event["type"] == "thread.item.done"]
    text: str = items[-1]["content"][0]["text"]
    return text


@pytest.mark.parametrize(
    ("locale", "progress", "sent", "packed"),
    [
        pytest.param(
            "en",
            "Looking up your order…",
            "Your order A-1001 is on its way.",
            "Your order A-1002 is being packed.",
            id="English",
        ),
        pytest.param(
            "fr",
            "Je cherche votre commande…",
            "Votre commande A-1001 est en route.",
            "Votre commande A-1002 est en préparation.",
            id="French",
        ),
        pytest.param(
            "de",
            "Ich suche Ihre Bestellung …",
            "Ihre Bestellung A-1001 ist unterwegs.",
            "Ihre Bestellung A-1002 wird gepackt.",
            id="German",
        ),
    ],
)
async def test_a_tool_tells_its_progress_and_its_result_in_the_users_language(
    app: ASGIApp, locale: str, progress: str, sent: str, packed: str
) -> None:
    for question, result in {"A-1001?": sent, "A-1002?": packed}.items():
        answer = await client_of(app, "alice", locale).send(create(question))
        told = [event["text"] for event in answer.events if event["type"] == "progress_update"]
        assert told == [progress]
        assert words(answer.events) == f"{result} {LINES[locale].more}"
        assert answer.headers["content-language"] == locale


async def test_an_order_of_somebody_else_is_unknown(app: ASGIApp) -> None:
    answer = await client_of(app, "bob").send(create("A-1001?"))
    assert words(answer.events).startswith("You have no order A-1001.")


async def test_what_goes_wrong_in_a_tool_is_told_to_nobody(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find_order(*_: object) -> None:
        raise RuntimeError("10.0.0.1 refuses the password")

    monkeypatch.setattr(shop, "find_order", find_order)
    answer = await client_of(app, "alice").send(create("A-1001?"))
    assert [event["code"] for event in answer.events if event["type"] == "error"] == ["stream.error"]
    assert b"10.0.0.1" not in answer.body


async def test_a_ticket_is_opened(app: ASGIApp) -> None:
    answer = await client_of(app, "alice").send(create("My lamp is broken"))
    assert words(answer.events).startswith("I have opened ticket T-")


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        pytest.param(
            look_up_order,
            {"number": "A-1001' OR 1=1"},
            "An order number looks like A-1001.",
            id="order number",
        ),
        pytest.param(
            open_ticket,
            {"summary": "  "},
            "A ticket needs a summary of at most 500 characters.",
            id="empty",
        ),
        pytest.param(
            open_ticket,
            {"summary": "x" * 501},
            "A ticket needs a summary of at most 500 characters.",
            id="long",
        ),
    ],
)
async def test_a_tool_checks_what_the_model_passes(
    store: SQLiteStore, tool: Any, arguments: dict[str, str], expected: str
) -> None:
    thread = ThreadMetadata(id="thr_1", created_at=NOW)
    context: DeskContext = AgentContext(thread=thread, store=store, request_context=ALICE)
    written = json.dumps(arguments)
    run = ToolContext(context=context, tool_name=tool.name, tool_call_id="call_1", tool_arguments=written)
    assert await tool.on_invoke_tool(run, written) == expected


async def test_the_model_sees_the_history(app: ASGIApp) -> None:
    client = client_of(app, "alice")
    first = await client.send(create("Hello"))
    thread_id = first.events[0]["thread"]["id"]
    assert words(first.events).startswith(LINES["en"].greeting)
    second = await client.send(
        chatkit_request("threads.add_user_message", thread_id=thread_id, input=user_message("Hello"))
    )
    assert words(second.events).startswith(LINES["en"].again)


async def test_neither_the_model_nor_the_database_gets_an_address(app: ASGIApp, store: SQLiteStore) -> None:
    answer = await client_of(app, "alice").send(create("A ticket: write to alice@example.com."))
    thread_id = answer.events[0]["thread"]["id"]
    page = await store.load_thread_items(thread_id, None, 10, "asc", ALICE)
    stored = " ".join(item.model_dump_json() for item in page.data)
    assert "write to [EMAIL]." in stored
    assert "alice@example.com" not in stored


async def test_the_threads_of_another_user_do_not_exist(app: ASGIApp) -> None:
    alice, bob = client_of(app, "alice"), client_of(app, "bob")
    thread_id = (await alice.send(create("Hello"))).events[0]["thread"]["id"]
    for name in ("threads.get_by_id", "items.list"):
        assert (await alice.send(chatkit_request(name, thread_id=thread_id))).status == 200
        assert (await bob.send(chatkit_request(name, thread_id=thread_id))).status == 404
    assert (await bob.send(chatkit_request("threads.list"))).json()["data"] == []
    assert len((await alice.send(chatkit_request("threads.list"))).json()["data"]) == 1


async def test_a_stream_that_is_cut_leaves_what_was_said_and_the_marker(
    app: ASGIApp, store: SQLiteStore
) -> None:
    before = asyncio.all_tasks()
    said, thread_id = "", ""
    async with client_of(app, "alice").stream(create("Explain everything")) as stream:
        async for event in stream:
            if event["type"] == "thread.created":
                thread_id = event["thread"]["id"]
            elif event["type"] == "thread.item.updated":
                said += event["update"].get("delta", "")
            if len(said) > 100:
                break
    items = (await store.load_thread_items(thread_id, None, 10, "asc", ALICE)).data
    assert [item.type for item in items] == ["user_message", "assistant_message", "sdk_hidden_context"]
    answer = items[1]
    assert isinstance(answer, AssistantMessageItem)
    assert answer.content[0].text.startswith(said)
    assert asyncio.all_tasks() - before == set()


async def test_the_scripted_model_answers_a_run_that_does_not_stream() -> None:
    response = await ScriptedModel(pause=0).get_response(
        language_instruction("de"),
        "Hallo",
        *[None] * 5,
        previous_response_id=None,
        conversation_id=None,
        prompt=None,
    )
    assert LINES["de"].greeting in str(response.output[0])


def test_a_key_selects_the_model_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert isinstance(choose_model(), ScriptedModel)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    assert choose_model() is None


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def test_the_tour_passes(
    listener: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await take_tour(listener, tmp_path / "desk.sqlite3")
    assert capsys.readouterr().out.count("ok ") == len(tour.TOUR)


async def test_the_tour_says_what_is_wrong(
    listener: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(smoke, "_PATIENCE_SECONDS", 0.0)
    foreign = LocalIdentityProvider(algorithm="ES256")
    monkeypatch.setattr("examples.support_desk.__main__.identity_provider", foreign)
    assert not await take_tour(listener, tmp_path / "desk.sqlite3")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok ")
    assert sum(line.startswith("FAILED") for line in lines) == len(tour.TOUR) - 1
    assert any("invalid_token" in line for line in lines)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("curl") and os.name == "posix"), reason="needs curl and a shell")
async def test_the_printed_commands_do_what_they_say(
    listener: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def paste(url: str, tokens: dict[str, str]) -> bool:
        tour.print_tour(url, tokens)
        script = capsys.readouterr().out
        run = await asyncio.to_thread(
            subprocess.run, ["sh"], input=script.encode(), capture_output=True, check=False
        )
        (tmp_path / "out").write_bytes(run.stdout)
        return True

    monkeypatch.setattr("examples.support_desk.__main__.smoke", paste)
    await take_tour(listener, tmp_path / "desk.sqlite3")
    out = (tmp_path / "out").read_text()
    statuses = [line.split()[1] for line in out.splitlines() if line.startswith("HTTP/")]
    assert statuses == ["401", "200", "200", "200", "200", "404"]
    assert "Je cherche votre commande…" in out
    assert "Der Shop antwortet nicht." in out
    _, saved, absent = (json.loads(line) for line in out.splitlines() if line.startswith("{"))
    assert [item["type"] for item in saved["items"]["data"]] == ["user_message", "assistant_message"]
    assert absent["code"] == "not_found"
