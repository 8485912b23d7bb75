"""Nothing of the app runs before everything that a request names has been checked."""

import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import (
    ClosedStatus,
    FeedbackKind,
    LockedStatus,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from starlette.requests import Request

from chatkit_prod import (
    ChatKitEndpoint,
    ChatKitResponse,
    ConfigurationError,
    RequestContext,
    RequestState,
    harden,
)
from chatkit_prod.access import (
    AccessPolicy,
    AllOf,
    HasScopes,
    Owner,
    OwnerOnly,
    OwnershipAttachmentStore,
    OwnershipStore,
    PerAction,
    stamped,
)
from chatkit_prod.access.resources import NEEDS
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.errors import ForbiddenError
from chatkit_prod.operation import Limits, Operation, parse
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import (
    Answer,
    ChatKitClient,
    LocalIdentityProvider,
    MemoryStore,
    chatkit_request,
    one_of_each,
    user_message,
)
from chatkit_prod.tracing import TracedAttachmentStore, TracedStore
from tests.access.people import principal, request_of, thread
from tests.access.test_store import rows_of
from tests.path.desk import Desk, DeskContext, Furnished, furnish

pytestmark = pytest.mark.anyio

PROVIDER = LocalIdentityProvider()
ISSUER = PROVIDER.issuer
AUTH = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)
OWN_RESOURCES = one_of_each().keys() - {
    "threads.create",
    "threads.list",
    "attachments.create",
    "input.transcribe",
}
"""The operations that name something."""


class CuriousDesk(Desk):
    """A desk that notes which of its own code has run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: DeskContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        self.ran.append("respond")
        assert thread.metadata == {}
        return super().respond(thread, input_user_message, context)

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: DeskContext
    ) -> None:
        self.ran.append("add_feedback")


def context_of(_: RequestState) -> DeskContext:
    return DeskContext()


def hardened(desk: Desk, access: AccessPolicy | None = None) -> ASGIApp:
    return harden(desk, auth=AUTH, access=access or OwnerOnly(), context_factory=context_of)


async def ask(app: ASGIApp, body: bytes, user: str = "alice", scopes: tuple[str, ...] = ()) -> Answer:
    token = PROVIDER.token(user, scopes=list(scopes))
    return await ChatKitClient(app, headers={"authorization": f"Bearer {token}"}).send(body)


def bodies(ids: Furnished | None) -> dict[str, bytes]:
    """Return one of each operation, with ids that exist or with others of their shape."""
    if ids is None:
        return one_of_each(thread_id="thr_absent", item_id="msg_absent", attachment_id="atc_absent")
    each = one_of_each(thread_id=ids.thread_id, item_id=ids.message_id, attachment_id=ids.attachment_id)
    form = json.loads(each["threads.add_structured_input"])
    form["params"]["item_id"] = ids.form_id
    return {**each, "threads.add_structured_input": json.dumps(form).encode()}


def without_request_id(answer: Answer) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    body = answer.json()
    assert body.pop("request_id") == answer.headers["x-request-id"]
    return answer.status, headers, body


@pytest.mark.parametrize("operation", sorted(OWN_RESOURCES))
async def test_foreign_and_absent_get_the_same_404_and_nothing_of_the_app_runs(operation: str) -> None:
    desk = CuriousDesk()
    app, ids = hardened(desk), await furnish(desk, "1")
    before = rows_of(desk.memory)  # type: ignore[arg-type]
    foreign = await ask(app, bodies(ids)[operation], "bob")
    absent = await ask(app, bodies(None)[operation], "bob")
    assert without_request_id(foreign) == without_request_id(absent)
    assert (foreign.status, foreign.json()["code"]) == (404, "not_found")
    assert desk.ran == []
    assert rows_of(desk.memory) == before  # type: ignore[arg-type]


@pytest.mark.parametrize("operation", sorted(OWN_RESOURCES))
async def test_a_refusal_is_one_record(operation: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    desk = Desk()
    app, ids = hardened(desk), await furnish(desk, "1")
    for body, reason in ((bodies(ids)[operation], "foreign"), (bodies(None)[operation], "absent")):
        caplog.clear()
        answer = await ask(app, body, "bob")
        found = [vars(record)["chatkit"] for record in caplog.records]
        (refusal,) = [fields for fields in found if fields["decision"] == "refused"]
        assert (refusal["user_id"], refusal["policy"], refusal["reason"]) == ("bob", "OwnerOnly", reason)
        assert refusal["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("operation", sorted(one_of_each()))
async def test_the_owner_is_let_through(operation: str) -> None:
    desk = Desk()
    app, ids = hardened(desk), await furnish(desk, "1")
    assert (await ask(app, bodies(ids)[operation])).status == 200


SECOND_NAMES = {
    "feedback": chatkit_request(
        "items.feedback", thread_id="thr_1", item_ids=["msg_1", "msg_2"], kind="positive"
    ),
    "a widget": chatkit_request(
        "threads.custom_action", thread_id="thr_1", item_id="wig_2", action={"type": "open"}
    ),
    "a widget, at once": chatkit_request(
        "threads.sync_custom_action", thread_id="thr_1", item_id="wig_2", action={"type": "open"}
    ),
    "a form": chatkit_request(
        "threads.add_structured_input", thread_id="thr_1", item_id="frm_2", input={"answers": {}}
    ),
    "a retry": chatkit_request("threads.retry_after_item", thread_id="thr_1", item_id="msg_2"),
    "a cursor of items": chatkit_request("items.list", thread_id="thr_1", after="msg_2"),
    "a cursor of threads": chatkit_request("threads.list", after="thr_2"),
    "an attachment": chatkit_request(
        "threads.add_user_message",
        thread_id="thr_1",
        input=user_message("Hi", attachments=["atc_1", "atc_2"]),
    ),
    "an attachment of a new thread": chatkit_request(
        "threads.create", input=user_message("Hi", attachments=["atc_2"])
    ),
}


@pytest.mark.parametrize("body", SECOND_NAMES.values(), ids=SECOND_NAMES)
async def test_ones_own_thread_is_no_way_to_what_is_anothers(body: bytes) -> None:
    desk = CuriousDesk()
    app = hardened(desk)
    await furnish(desk, "1")
    await furnish(desk, "2")
    memory: Any = desk.memory
    bob = Owner(issuer=PROVIDER.issuer, subject="bob")
    memory._threads["thr_2"] = stamped(memory._threads["thr_2"], bob)
    memory._attachments["atc_2"] = stamped(memory._attachments["atc_2"], bob)
    before = rows_of(memory)
    foreign = await ask(app, body)
    absent = await ask(app, body.replace(b"_2", b"_x"))
    assert without_request_id(foreign) == without_request_id(absent)
    assert (foreign.status, desk.ran) == (404, [])
    assert rows_of(memory) == before


@pytest.mark.parametrize("operation", ["threads.create", "threads.add_user_message"])
async def test_an_attachment_of_another_thread_of_ones_own_cannot_be_sent_again(operation: str) -> None:
    desk = CuriousDesk()
    app = hardened(desk)
    for name in ("1", "2"):
        await furnish(desk, name)
    thread_id = {} if operation == "threads.create" else {"thread_id": "thr_2"}
    first = chatkit_request(
        "threads.add_user_message", thread_id="thr_1", input=user_message("Hi", attachments=["atc_1"])
    )
    assert (await ask(app, first)).status == 200
    assert (await ask(app, first)).status == 200
    threads = set(rows_of(desk.memory)[0])  # type: ignore[arg-type]
    again = chatkit_request(operation, **thread_id, input=user_message("Hi", attachments=["atc_1"]))
    assert (await ask(app, again)).status == 404
    assert desk.ran == ["respond"] * 2
    assert set(rows_of(desk.memory)[0]) == threads  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ actions


@pytest.mark.parametrize("operation", sorted(one_of_each()))
async def test_a_missing_scope_is_a_403_whether_there_is_something_or_not(operation: str) -> None:
    desk = CuriousDesk()
    app, ids = hardened(desk, AllOf(OwnerOnly(), HasScopes("chat"))), await furnish(desk, "1")
    for body in (bodies(ids)[operation], bodies(None)[operation]):
        refused = await ask(app, body)
        assert (refused.status, refused.json()["code"]) == (403, "insufficient_scope")
        assert 'scope="chat"' in refused.headers["www-authenticate"]
    assert desk.ran == []
    assert (await ask(app, bodies(ids)[operation], scopes=("chat",))).status == 200


async def test_who_may_write_but_not_attach_sends_no_attachment() -> None:
    desk = CuriousDesk()
    app = hardened(desk, PerAction({"threads:create": OwnerOnly(), "threads:write": OwnerOnly()}))
    await furnish(desk, "1")
    plain, attaching = (
        chatkit_request("threads.create", input=user_message("Hi", attachments=files))
        for files in ((), ("atc_1",))
    )
    assert (await ask(app, plain)).status == 200
    assert (await ask(app, attaching)).status == 403


class Broken:
    """A policy that fails where it is asked about a resource, or always."""

    def __init__(self, *, always: bool) -> None:
        self._always = always

    async def allows(self, _principal: object, _action: object, resource: object) -> bool:
        if self._always or resource is not None:
            raise ConnectionError(PROVIDER.issuer)
        return True


@pytest.mark.parametrize("operation", sorted(OWN_RESOURCES))
async def test_a_policy_that_fails_lets_nobody_through(
    operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = CuriousDesk()
    ids = await furnish(desk, "1")
    denied = await ask(hardened(desk, Broken(always=False)), bodies(ids)[operation])
    assert (denied.status, desk.ran) == (404, [])
    assert "ConnectionError" in caplog.text
    assert PROVIDER.issuer not in caplog.text
    other = Desk()
    assert (await ask(hardened(other, Broken(always=True)), bodies(ids)[operation])).status == 403


async def test_an_operation_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = CuriousDesk()
    app, ids = hardened(desk), await furnish(desk, "1")
    for model in list(NEEDS):
        monkeypatch.delitem(NEEDS, model)
    for body in bodies(ids).values():
        assert (await ask(app, body)).status == 403
    assert desk.ran == []


# ------------------------------------------------------------------------------------------------ locked and closed

TURNS = {
    "threads.add_client_tool_output",
    "threads.add_structured_input",
    "threads.add_user_message",
    "threads.retry_after_item",
}


@pytest.mark.parametrize("status", [LockedStatus(reason="Escalated."), ClosedStatus(reason="Resolved.")])
@pytest.mark.parametrize("operation", sorted(one_of_each().keys() - {"threads.create"}))
async def test_a_locked_thread_takes_no_turn_of_its_user(
    operation: str, status: LockedStatus | ClosedStatus
) -> None:
    desk = CuriousDesk()
    app, ids = hardened(desk), await furnish(desk, "1")
    memory: Any = desk.memory
    memory._threads["thr_1"].status = status
    before = rows_of(memory)
    answer = await ask(app, bodies(ids)[operation])
    assert answer.status == 200
    if operation in TURNS:
        expected = {"type": "error", "code": "custom", "message": status.reason, "allow_retry": False}
        assert answer.events == [expected]
        assert rows_of(memory) == before
        assert desk.ran == []


async def test_the_reason_of_a_lock_is_not_told_to_strangers() -> None:
    desk = Desk()
    app, ids = hardened(desk), await furnish(desk, "1")
    memory: Any = desk.memory
    memory._threads["thr_1"].status = LockedStatus(reason="Escalated.")
    answer = await ask(app, bodies(ids)["threads.add_user_message"], "bob")
    assert answer.status == 404
    assert b"Escalated" not in answer.body


async def test_without_a_reason_the_text_is_in_the_users_language() -> None:
    desk = Desk()
    app = harden(
        desk,
        auth=AUTH,
        access=OwnerOnly(),
        context_factory=context_of,
        locales=["en", "fr"],
        default_locale="fr",
    )
    ids = await furnish(desk, "1")
    memory: Any = desk.memory
    memory._threads["thr_1"].status = ClosedStatus()
    (event,) = (await ask(app, bodies(ids)["threads.add_user_message"])).events
    assert event["message"] == "Cette conversation est fermée."


# ------------------------------------------------------------------------------------------------ by hand


async def test_every_endpoint_of_a_guarded_store_has_its_gate() -> None:
    desk = CuriousDesk()
    ids = await furnish(desk, "1")
    app = AuthMiddleware(ChatKitEndpoint(desk, context_factory=context_of), authenticator=AUTH)
    desk.store = DelegatingStore(OwnershipStore(desk.store))
    for operation in ("items.feedback", "threads.get_by_id"):
        assert (await ask(app, bodies(ids)[operation])).status == 200
        assert (await ask(app, bodies(ids)[operation], "bob")).status == 404
    assert desk.ran == ["add_feedback"]


async def test_a_handler_of_ones_own_has_the_gate_with_the_principal_of_its_context() -> None:
    desk = CuriousDesk()
    ids = await furnish(desk, "1")
    desk.store = OwnershipStore(
        desk.store, principal=lambda context: principal(context.fault, issuer=ISSUER, tenant=None)
    )

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        context = DeskContext(fault=request.headers["x-user"])
        await (await ChatKitResponse.of(desk, request, context))(scope, receive, send)

    for user, status in (("alice", 200), ("bob", 404)):
        client = ChatKitClient(handler, headers={"x-user": user})
        assert (await client.send(bodies(ids)["items.feedback"])).status == status
    assert desk.ran == ["add_feedback"]


async def test_without_anybody_in_front_nobody_is_let_through() -> None:
    desk = CuriousDesk()
    ids = await furnish(desk, "1")
    desk.store = OwnershipStore(desk.store)
    answer = await ask(ChatKitEndpoint(desk, context_factory=context_of), bodies(ids)["items.feedback"])
    assert (answer.status, desk.ran) == (500, [])


async def test_a_thread_whose_first_message_may_not_be_stored_leaves_nothing_behind() -> None:
    desk = CuriousDesk()
    app = hardened(desk, PerAction({"threads:create": OwnerOnly(), "threads:read": OwnerOnly()}))
    assert (await ask(app, one_of_each()["threads.create"])).status == 404
    assert rows_of(desk.memory) == ({}, {}, {})  # type: ignore[arg-type]


async def test_an_operation_of_tomorrow_is_refused_and_recorded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatkit_prod.audit")
    store: OwnershipStore[RequestContext] = OwnershipStore(MemoryStore())
    known = parse(chatkit_request("threads.list"), Limits())
    unknown: Operation = dataclasses.replace(known, request=thread())  # type: ignore[arg-type]
    alice = principal("alice")
    with request_of(alice), pytest.raises(ForbiddenError):
        await store.gate.admit(unknown, RequestContext(principal=alice))
    (record,) = caplog.records
    found = vars(record)["chatkit"]
    assert (found["action"], found["reason"]) == ("threads.list", "unknown operation")


# ------------------------------------------------------------------------------------------------ harden


def test_harden_guards_both_stores_once() -> None:
    desk, policy = Desk(), OwnerOnly()
    inner, files = desk.store, desk.attachment_store
    for _ in range(2):
        harden(desk, auth=AUTH, access=policy, context_factory=context_of)
        assert isinstance(desk.store, OwnershipStore)
        assert isinstance(desk.store.inner, TracedStore)
        assert isinstance(desk.attachment_store, OwnershipAttachmentStore)
        assert isinstance(desk.attachment_store.inner, TracedAttachmentStore)
        assert (desk.store.inner.inner, desk.attachment_store.inner.inner) == (inner, files)
    with pytest.raises(ConfigurationError, match="by another policy"):
        harden(desk, auth=AUTH, access=AllOf(OwnerOnly()), context_factory=context_of)
    harden(desk, auth=AUTH, access=OwnerOnly(), context_factory=context_of)


def test_what_harden_refuses_it_leaves_as_it_was() -> None:
    desk = Desk()
    inner = desk.store
    with pytest.raises(ConfigurationError, match="supported"):
        harden(desk, auth=AUTH, access=OwnerOnly(), context_factory=context_of, locales="en")
    assert desk.store is inner


def test_harden_leaves_the_stores_alone_without_a_policy_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    inner, files = desk.store, desk.attachment_store
    harden(desk, auth=AUTH, context_factory=context_of)
    assert isinstance(desk.store, TracedStore)
    assert isinstance(desk.attachment_store, TracedAttachmentStore)
    assert (desk.store.inner, desk.attachment_store.inner) == (inner, files)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "access= is not given" in caplog.text
    caplog.clear()
    hardened(desk)
    harden(desk, auth=AUTH, context_factory=context_of)
    assert caplog.records == []


async def test_a_second_endpoint_of_a_guarded_server_is_guarded_as_well() -> None:
    desk = CuriousDesk()
    hardened(desk)
    ids = await furnish(desk, "1")
    second = harden(desk, auth=AUTH, context_factory=context_of)
    assert (await ask(second, bodies(ids)["items.feedback"], "bob")).status == 404
    assert desk.ran == []


@pytest.mark.parametrize("access", [OwnerOnly, "owner", 1], ids=repr)
def test_harden_takes_nothing_else_for_a_policy(access: Any) -> None:
    desk = Desk()
    with pytest.raises(ConfigurationError, match="policy"):
        harden(desk, auth=AUTH, access=access, context_factory=context_of)


async def test_a_server_without_attachments_is_guarded_as_well() -> None:
    desk = Desk()
    desk.attachment_store = None
    app, ids = hardened(desk), await furnish(desk, "1")
    assert (await ask(app, bodies(ids)["threads.get_by_id"])).status == 200
    assert (await ask(app, bodies(ids)["threads.get_by_id"], "bob")).status == 404


async def test_what_a_tool_may_not_reach_is_not_found() -> None:
    caught: list[type[Exception]] = []

    class Tool(Desk):
        async def sync_action(self, thread: Any, action: Any, sender: Any, context: DeskContext) -> Any:
            try:
                await self.store.load_thread("thr_1", context)
            except NotFoundError as error:
                caught.append(type(error))
            return await super().sync_action(thread, action, sender, context)

    desk = Tool()
    app = hardened(desk)
    await furnish(desk, "1")
    created = (await ask(app, one_of_each()["threads.create"], "bob")).events[0]["thread"]["id"]
    body = one_of_each(thread_id=created)["threads.sync_custom_action"]
    assert (await ask(app, body, "bob")).status == 200
    assert caught == [NotFoundError]


async def test_the_gate_judges_the_operation_that_is_dispatched() -> None:
    desk = CuriousDesk()
    ids = await furnish(desk, "1")
    desk.store = OwnershipStore(desk.store)
    bodies_in_turn = [bodies(ids)["items.feedback"], chatkit_request("threads.list")]

    async def batch(scope: Any, receive: Any, send: Any) -> None:
        """Read two requests in one scope before the first is answered."""

        async def received() -> Any:
            return {"type": "http.request", "body": bodies_in_turn.pop(0), "more_body": False}

        context = DeskContext()
        read = [await ChatKitResponse.of(desk, Request(scope, received), context) for _ in range(2)]
        await read[0](scope, receive, send)

    answer = await ask(AuthMiddleware(batch, authenticator=AUTH), b"{}", "bob")
    assert (answer.status, desk.ran) == (404, [])
