"""Every row of the table of errors, for each of the 16 operations, over a real socket."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chatkit_prod import ChatKitEndpoint, harden
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.operation import operation_names
from chatkit_prod.testing import Answer, LocalIdentityProvider, chatkit_request, one_of_each, user_message

from .desk import SECRET, Desk, DeskContext, Furnished, desk_context, furnish, threads_in
from .servers import ByPath, Watched, serve
from .wire import ask, connect

pytestmark = pytest.mark.anyio

STREAMING = (
    "threads.create",
    "threads.add_user_message",
    "threads.add_client_tool_output",
    "threads.add_structured_input",
    "threads.retry_after_item",
    "threads.custom_action",
)
OPERATIONS = tuple(one_of_each())
WAYS = ("harden", "parts")

_BODY_LIMIT = 10_000
_SCOPE = "chat"
_MEMBERS = {"type", "title", "status", "code", "message", "request_id"}
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}
_ONE_NAME = itertools.count()

operations = pytest.mark.parametrize("operation", OPERATIONS)
ways = pytest.mark.parametrize("way", WAYS)


def _apps(desk: Desk, idp: LocalIdentityProvider) -> dict[str, ASGIApp]:
    auth = JWTBearer(
        issuer=idp.issuer, audience=idp.audience, jwks=idp.jwks, leeway=0, required_scopes=[_SCOPE]
    )
    endpoint: ChatKitEndpoint[Any] = ChatKitEndpoint(
        desk, context_factory=desk_context, max_body_bytes=_BODY_LIMIT
    )
    return {
        "/harden": harden(desk, auth=auth, context_factory=desk_context, max_body_bytes=_BODY_LIMIT),
        "/parts": AuthMiddleware(endpoint, authenticator=auth),
    }


@dataclass(frozen=True, slots=True)
class Table:
    """The server under test.

    Args:
        port: Where it listens.
        desk: The app's server behind it.
        idp: Signs the tokens.
    """

    port: int
    desk: Desk
    idp: LocalIdentityProvider

    def headers(self, **more: str) -> dict[str, str]:
        """Return the headers of a request that is allowed in; underscores stand for hyphens."""
        token = self.idp.token("alice", scopes=[_SCOPE])
        return {"authorization": f"Bearer {token}"} | {
            name.replace("_", "-"): value for name, value in more.items()
        }

    async def ask(self, way: str, body: bytes = b"", **options: Any) -> Answer:
        """Send a request, and check what holds for every answer."""
        answer, complete = await ask(self.port, body, path=f"/{way}", **options)
        assert complete
        assert len(answer.headers["x-request-id"]) == 32
        assert SECRET.encode() not in answer.body
        return answer

    async def furnish(self) -> Furnished:
        """Make a thread in which every operation works."""
        return await furnish(self.desk, f"{next(_ONE_NAME)}")


@pytest.fixture(scope="module")
async def table(idp: LocalIdentityProvider) -> AsyncIterator[Table]:
    desk = Desk()
    app = Watched(ByPath(_apps(desk, idp)))
    async with serve(app) as port:
        yield Table(port, desk, idp)
    assert app.errors == []


@pytest.fixture(scope="module")
def stranger() -> LocalIdentityProvider:
    """Somebody else's identity provider, by the same name."""
    return LocalIdentityProvider()


def body_of(operation: str, ids: Furnished, *, text: str = "Hello") -> bytes:
    """Return a request that works."""
    item_id = ids.form_id if operation == "threads.add_structured_input" else ids.message_id
    bodies = one_of_each(thread_id=ids.thread_id, item_id=item_id, attachment_id=ids.attachment_id, text=text)
    return bodies[operation]


def assert_problem(
    answer: Answer, status: int, code: str, members: set[str] | None = None
) -> Mapping[str, Any]:
    """Check that an answer is a problem, with exactly the members it should have."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() == _MEMBERS | (members or set())
    assert (problem["type"], problem["status"], problem["code"]) == ("about:blank", status, code)
    assert problem["title"] == _TITLES.get(status, problem["title"]) != ""
    assert problem["message"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


def error_events(answer: Answer) -> list[Any]:
    """Check that an answer is a stream, and return its `error` events."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return [event for event in answer.events if event["type"] == "error"]


def test_the_table_covers_every_operation() -> None:
    assert set(OPERATIONS) == operation_names()
    assert len(OPERATIONS) == 16


@ways
@operations
async def test_a_request_that_is_right_works(table: Table, way: str, operation: str) -> None:
    answer = await table.ask(way, body_of(operation, await table.furnish()), headers=table.headers())
    assert answer.status == 200
    if operation in STREAMING:
        assert error_events(answer) == []
        assert answer.events[-1]["item"]["content"][0]["text"] == "".join(table.desk.words)
    else:
        assert answer.headers["content-type"] == "application/json"


# ------------------------------------------------------------------------------------------ refused before


@ways
@operations
async def test_without_credentials_it_is_a_401_with_a_challenge(
    table: Table, way: str, operation: str
) -> None:
    answer = await table.ask(way, body_of(operation, await table.furnish(), text=SECRET))
    assert_problem(answer, 401, "authentication_required")
    assert answer.headers["www-authenticate"] == 'Bearer realm="chatkit"'


@ways
@operations
async def test_with_bad_credentials_it_is_a_401_that_says_so(
    table: Table, stranger: LocalIdentityProvider, way: str, operation: str
) -> None:
    expired = table.idp.token("alice", expires_in=-60, scopes=[_SCOPE])
    for token in (SECRET, expired, stranger.token("alice", scopes=[_SCOPE])):
        headers = {"authorization": f"Bearer {token}"}
        answer = await table.ask(way, body_of(operation, await table.furnish(), text=SECRET), headers=headers)
        assert_problem(answer, 401, "invalid_token")
        assert answer.headers["www-authenticate"] == 'Bearer realm="chatkit", error="invalid_token"'
        assert token.encode() not in answer.body


@ways
@operations
async def test_without_a_scope_it_is_a_403(table: Table, way: str, operation: str) -> None:
    headers = {"authorization": f"Bearer {table.idp.token('alice', scopes=['other'])}"}
    answer = await table.ask(way, body_of(operation, await table.furnish(), text=SECRET), headers=headers)
    assert_problem(answer, 403, "insufficient_scope")
    assert answer.headers["www-authenticate"] == (
        f'Bearer realm="chatkit", error="insufficient_scope", scope="{_SCOPE}"'
    )


@ways
@operations
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
async def test_a_body_that_is_too_large_is_a_413(
    table: Table, way: str, operation: str, chunked: bool
) -> None:
    body = body_of(operation, await table.furnish(), text=SECRET)
    padded = body + b" " * (_BODY_LIMIT + 1 - len(body))
    answer = await table.ask(way, padded, headers=table.headers(), chunked=chunked)
    assert assert_problem(answer, 413, "content_too_large", {"limit"})["limit"] == "max_body_bytes"


@ways
@operations
@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/json; charset=utf-16"], ids=["text", "none", "utf-16"]
)
async def test_a_body_that_is_not_declared_as_json_is_a_415(
    table: Table, way: str, operation: str, content_type: str
) -> None:
    body = body_of(operation, await table.furnish(), text=SECRET)
    answer = await table.ask(way, body, headers=table.headers(content_type=content_type))
    assert_problem(answer, 415, "unsupported_media_type")
    assert answer.headers["accept-post"] == "application/json"


@ways
@operations
@pytest.mark.parametrize(
    "broken", ["cut off", "no parameters", "wrong parameters", "not UTF-8", "hostile id"]
)
async def test_a_body_that_is_not_valid_is_a_400_without_any_of_it(
    table: Table, way: str, operation: str, broken: str
) -> None:
    body = body_of(operation, await table.furnish(), text=SECRET)
    hostile = f"../../{SECRET}"
    params = {
        "thread_id": hostile,
        "item_id": hostile,
        "item_ids": [hostile],
        "attachment_id": hostile,
        "input": user_message("Hello", attachments=[hostile]),
        "after": f"{SECRET} ",
        "name": hostile,
        "audio_base64": SECRET,
    }
    valid = json.loads(body)["params"]
    spoilt = valid | {name: value for name, value in params.items() if name in {*valid, "after"}}
    bodies = {
        "cut off": body[:-1],
        "no parameters": json.dumps({"type": operation}).encode(),
        "wrong parameters": json.dumps({"type": operation, "params": [SECRET]}).encode(),
        "not UTF-8": body[:-2] + b', "x": "\xff\xfe"}}',
        "hostile id": json.dumps({"type": operation, "params": spoilt}).encode(),
    }
    answer = await table.ask(way, bodies[broken], headers=table.headers())
    problem = assert_problem(answer, 400, "invalid_request", {"errors"})
    assert all(error.keys() == {"loc", "msg"} for error in problem["errors"])


@ways
async def test_an_operation_of_another_release_is_a_400(table: Table, way: str) -> None:
    body = json.dumps({"type": f"threads.{SECRET}", "params": {}}).encode()
    answer = await table.ask(way, body, headers=table.headers())
    assert_problem(answer, 400, "invalid_request", {"errors"})


@ways
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_a_405_that_names_the_right_one(table: Table, way: str, method: str) -> None:
    answer = await table.ask(way, method=method, headers=table.headers())
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    if method == "HEAD":
        assert answer.body == b""
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert_problem(answer, 405, "method_not_allowed")


# ------------------------------------------------------------------------------------------ what is absent

ABSENT = {
    "threads.add_user_message": ("thread", "attachment"),
    "threads.create": ("attachment",),
    "threads.add_client_tool_output": ("thread",),
    "threads.add_structured_input": ("thread", "item"),
    "threads.retry_after_item": ("thread", "item"),
    "threads.custom_action": ("thread", "item"),
    "threads.sync_custom_action": ("thread", "item"),
    "threads.get_by_id": ("thread",),
    "threads.update": ("thread",),
    "items.list": ("thread",),
    "attachments.delete": ("attachment",),
}
"""The operations whose store calls notice that something is absent."""

UNNOTICED = {
    "threads.delete": "deletes whatever there is: a store need not know whether there was anything",
    "items.feedback": "calls no store at all, only `add_feedback`",
    "attachments.create": "names nothing",
    "input.transcribe": "names nothing",
    "threads.list": "names nothing; a foreign cursor is the store's business",
}
"""The operations that answer as if nothing were wrong until an access policy stands in front, and why."""


def _naming_what_is_absent(operation: str, absent: str, ids: Furnished) -> bytes:
    thread_id = "thr_absent" if absent == "thread" else ids.thread_id
    attachments = ["atc_absent"] if absent == "attachment" else []
    item_id = "itm_absent" if absent == "item" else ids.form_id
    match operation:
        case "threads.create":
            return chatkit_request(operation, input=user_message(SECRET, attachments=attachments))
        case "threads.add_user_message":
            message = user_message(SECRET, attachments=attachments)
            return chatkit_request(operation, thread_id=thread_id, input=message)
        case "threads.custom_action" | "threads.sync_custom_action":
            sender = item_id if absent == "item" else None
            action = {"type": "open", "payload": {"text": SECRET}}
            return chatkit_request(operation, thread_id=thread_id, item_id=sender, action=action)
        case _:
            bodies = one_of_each(
                thread_id=thread_id, item_id=item_id, attachment_id="atc_absent", text=SECRET
            )
            return bodies[operation]


def test_every_operation_is_either_checked_for_what_is_absent_or_has_a_reason_not_to_be() -> None:
    assert ABSENT.keys() | UNNOTICED.keys() == set(OPERATIONS)
    assert not ABSENT.keys() & UNNOTICED.keys()


@ways
@pytest.mark.parametrize(
    ("operation", "absent"), [(name, absent) for name, kinds in ABSENT.items() for absent in kinds]
)
async def test_what_is_absent_is_a_404(table: Table, way: str, operation: str, absent: str) -> None:
    ids = await table.furnish()
    threads = len(await threads_in(table.desk.memory))
    answer = await table.ask(way, _naming_what_is_absent(operation, absent, ids), headers=table.headers())
    assert_problem(answer, 404, "not_found")
    assert "absent" not in answer.body.decode()
    assert len(await threads_in(table.desk.memory)) == threads


@ways
@pytest.mark.parametrize("operation", [name for name in UNNOTICED if UNNOTICED[name] != "names nothing"])
async def test_what_nobody_looks_up_is_not_missed(table: Table, way: str, operation: str) -> None:
    bodies = one_of_each(thread_id="thr_absent", item_id="itm_absent")
    assert (await table.ask(way, bodies[operation], headers=table.headers())).status == 200


# ------------------------------------------------------------------------------------------ errors of the app

BEFORE = {
    "threads.create": ("store.save_thread", "store.add_thread_item"),
    "threads.add_user_message": ("store.load_thread", "store.add_thread_item"),
    "threads.add_client_tool_output": ("store.load_thread", "store.load_thread_items", "store.save_item"),
    "threads.add_structured_input": ("store.load_thread", "store.load_item"),
    "threads.retry_after_item": ("store.load_thread", "store.load_thread_items", "store.delete_thread_item"),
    "threads.custom_action": ("store.load_thread",),
}
"""Where a streaming operation can fail before `respond` or `action` runs."""

FIRST = {name: f"{'action' if name == 'threads.custom_action' else 'respond'}.early" for name in STREAMING}
"""Where it fails before the answer has an event."""

LATER = {
    name: (place.replace("early", "late"), place.replace("early", "end")) for name, place in FIRST.items()
}
"""Where it fails after the first event, in the middle and at the very end of the answer."""

PLAIN = {
    "threads.get_by_id": ("store.load_thread", "store.load_thread_items"),
    "threads.list": ("store.load_threads",),
    "threads.update": ("store.load_thread", "store.save_thread"),
    "threads.delete": ("store.delete_thread",),
    "threads.sync_custom_action": ("sync_action", "store.load_thread"),
    "items.list": ("store.load_thread_items",),
    "items.feedback": ("add_feedback",),
    "attachments.create": ("attachment_store.create_attachment", "store.save_attachment"),
    "attachments.delete": ("attachment_store.delete_attachment", "store.delete_attachment"),
    "input.transcribe": ("transcribe",),
}
"""Where an operation that does not stream can fail."""

_EVENTS = {
    "stream error": {"type": "error", "code": "stream.error", "allow_retry": False},
    "custom error": {
        "type": "error",
        "code": "custom",
        "message": "The desk is closed.",
        "allow_retry": True,
    },
    "plain error": {"type": "error", "code": "stream.error", "allow_retry": True},
}

faults = pytest.mark.parametrize("fault", list(_EVENTS))


def test_every_operation_can_fail() -> None:
    assert BEFORE.keys() | PLAIN.keys() == set(OPERATIONS)


@ways
@faults
@pytest.mark.parametrize(
    ("operation", "place"),
    [(name, place) for name in STREAMING for place in (*BEFORE[name], FIRST[name], *LATER[name])],
)
async def test_a_stream_that_fails_is_a_200_with_one_error_event_and_a_clean_end(
    table: Table, way: str, fault: str, operation: str, place: str
) -> None:
    ids = await table.furnish()
    threads = len(await threads_in(table.desk.memory))
    headers = table.headers(x_fault=fault, x_fault_at=place)
    answer = await table.ask(way, body_of(operation, ids), headers=headers)
    assert error_events(answer) == [_EVENTS[fault]]
    assert answer.events[-1] == _EVENTS[fault]
    if place in BEFORE[operation]:
        assert len(answer.events) == 1
        assert len(await threads_in(table.desk.memory)) == threads
    if place in LATER[operation]:
        assert any(event["type"] == "thread.item.updated" for event in answer.events)


@ways
@faults
@pytest.mark.parametrize(
    ("operation", "place"), [(name, place) for name, places in PLAIN.items() for place in places]
)
async def test_another_request_that_fails_is_a_problem(
    table: Table, way: str, fault: str, operation: str, place: str
) -> None:
    headers = table.headers(x_fault=fault, x_fault_at=place)
    answer = await table.ask(way, body_of(operation, await table.furnish(), text="Hello"), headers=headers)
    match fault:
        case "custom error":
            problem = assert_problem(answer, 400, "custom", {"allow_retry"})
            assert (problem["message"], problem["allow_retry"]) == ("The desk is closed.", True)
        case "stream error":
            assert assert_problem(answer, 500, "stream.error", {"allow_retry"})["allow_retry"] is False
        case _:
            assert_problem(answer, 500, "internal_error")


@ways
@pytest.mark.parametrize(
    ("operation", "place"),
    [(name, place) for name, places in {**BEFORE, **PLAIN}.items() for place in places],
)
async def test_what_a_store_calls_absent_is_a_404_wherever_it_happens(
    table: Table, way: str, operation: str, place: str
) -> None:
    headers = table.headers(x_fault="absent", x_fault_at=place)
    answer = await table.ask(way, body_of(operation, await table.furnish()), headers=headers)
    assert_problem(answer, 404, "not_found")


# ------------------------------------------------------------------------------------------ the end of a token


@operations
async def test_a_stream_ends_with_its_token_and_other_requests_do_not_notice(
    idp: LocalIdentityProvider, operation: str, expiring: Table
) -> None:
    await asyncio.gather(*(_outlive_the_token(idp, way, operation, expiring) for way in WAYS))


async def _outlive_the_token(idp: LocalIdentityProvider, way: str, operation: str, table: Table) -> None:
    ids = await table.furnish()

    async def ask(lifetime: float) -> Answer:
        headers = {"authorization": f"Bearer {idp.token('alice', scopes=[_SCOPE], expires_in=lifetime)}"}
        return await table.ask(way, body_of(operation, ids), headers=headers)

    answer = await ask(0.25)
    if answer.status == 401:  # on a slow machine it is over before it has been looked at
        answer = await ask(4)
    assert answer.status == 200
    if operation not in STREAMING:
        return
    last = {
        "type": "error",
        "code": "custom",
        "message": "Your session has ended. Sign in again.",
        "allow_retry": False,
    }
    assert error_events(answer) == [last]
    assert answer.events[-1] == last
    thread_id = ids.thread_id if operation != "threads.create" else answer.events[0]["thread"]["id"]
    page = await table.desk.memory.load_thread_items(thread_id, None, 10, "desc", DeskContext())
    assert [item.type for item in page.data[:2]] == ["sdk_hidden_context", "assistant_message"]


@pytest.fixture(scope="module")
async def expiring(idp: LocalIdentityProvider) -> AsyncIterator[Table]:
    """Answers that never end."""
    desk = Desk(endless=True)
    app = Watched(ByPath(_apps(desk, idp)))
    async with serve(app) as port:
        yield Table(port, desk, idp)
    assert app.errors == []


async def test_a_refused_request_leaves_the_connection_usable(table: Table) -> None:
    async with connect(table.port) as connection:
        for method, status in (("GET", 405), ("POST", 400), ("GET", 405)):
            await connection.send(b"{}", method=method, path="/harden", headers=table.headers())
            assert (await connection.answer()).status == status
