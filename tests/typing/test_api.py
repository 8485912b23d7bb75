# pyright: reportUnnecessaryTypeIgnoreComment=true
"""The types of the public names: checked by mypy and pyright, and run.

An ignored error is an assertion as well: both tools say so when there is none.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp

from chatkit_prod import (
    ChatKitEndpoint,
    ChatKitResponse,
    ConfigurationError,
    ContextFactory,
    Principal,
    RequestContext,
    RequestState,
    harden,
)
from chatkit_prod.access import (
    AccessPolicy,
    Action,
    AnyOf,
    OwnerOnly,
    OwnershipStore,
    PerAction,
    Resource,
)
from chatkit_prod.auth import Authenticator, AuthMiddleware, FirstOf, JWTBearer, OpaqueBearer
from chatkit_prod.locale import LocaleMiddleware, Negotiator
from chatkit_prod.store import DelegatingStore
from chatkit_prod.testing import LocalIdentityProvider, MemoryStore, chatkit_request
from chatkit_prod.tracing import TracingMiddleware
from tests.layers import Greeter, get
from tests.servers import Wire, hello

if TYPE_CHECKING:
    from chatkit.store import Store
    from starlette.responses import Response

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Mine:
    """The context of an app."""

    user: str


class DefaultServer(ChatKitServer[RequestContext]):
    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        return hello(thread)


class MyServer(ChatKitServer[Mine]):
    def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Mine
    ) -> AsyncIterator[ThreadStreamEvent]:
        return hello(thread)


def make(state: RequestState) -> Mine:
    return Mine(state.request_id)


async def make_later(state: RequestState) -> Mine:
    return Mine(state.request_id)


class Factory:
    """A factory that is an object."""

    async def __call__(self, state: RequestState, /) -> Mine:
        return Mine(state.request_id)


def make_other(state: RequestState) -> str:
    return state.request_id


PROVIDER = LocalIdentityProvider()
BEARER = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)


def test_an_endpoint_without_a_factory_takes_a_server_of_our_context() -> None:
    assert_type(ChatKitEndpoint(DefaultServer(MemoryStore())), ChatKitEndpoint[RequestContext])
    assert_type(ChatKitEndpoint(DefaultServer(MemoryStore()), keep_alive=5), ChatKitEndpoint[RequestContext])


def test_an_endpoint_without_a_factory_takes_no_other_server() -> None:
    ChatKitEndpoint(MyServer(MemoryStore()))  # type: ignore[arg-type]


def test_the_context_of_a_factory_is_the_context_of_the_endpoint() -> None:
    server = MyServer(MemoryStore())
    assert_type(ChatKitEndpoint(server, context_factory=make), ChatKitEndpoint[Mine])
    assert_type(ChatKitEndpoint(server, context_factory=make_later), ChatKitEndpoint[Mine])
    assert_type(ChatKitEndpoint(server, context_factory=Factory()), ChatKitEndpoint[Mine])
    assert_type(
        ChatKitEndpoint(server, context_factory=lambda state: Mine(state.request_id)), ChatKitEndpoint[Mine]
    )


def test_a_factory_of_another_context_is_an_error() -> None:
    ChatKitEndpoint(MyServer(MemoryStore()), context_factory=make_other)  # type: ignore[misc]
    ChatKitEndpoint(MyServer(MemoryStore()), context_factory=RequestContext.of)  # type: ignore[misc]


def test_an_option_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError):
        ChatKitEndpoint(DefaultServer(MemoryStore()), max_body=1)  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError):
        ChatKitEndpoint(DefaultServer(MemoryStore()), max_body_bytes="1")  # type: ignore[call-overload]


def test_harden_takes_what_the_endpoint_takes() -> None:
    assert_type(harden(DefaultServer(MemoryStore()), auth=BEARER), ASGIApp)
    assert_type(harden(MyServer(MemoryStore()), auth=BEARER, context_factory=make, max_page_size=5), ASGIApp)
    assert_type(harden(MyServer(MemoryStore()), auth=BEARER, context_factory=make_later), ASGIApp)
    assert_type(harden(MyServer(MemoryStore()), auth=None, insecure=True, context_factory=make), ASGIApp)


def test_harden_refuses_what_the_endpoint_refuses() -> None:
    harden(MyServer(MemoryStore()), auth=BEARER)  # type: ignore[arg-type]
    harden(MyServer(MemoryStore()), auth=BEARER, context_factory=make_other)  # type: ignore[misc]
    with pytest.raises(TypeError):
        harden(DefaultServer(MemoryStore()))  # type: ignore[call-overload]


async def test_a_response_is_made_with_the_context_of_the_server() -> None:
    wire = Wire(chatkit_request("threads.list"))
    request = Request({**get((b"content-type", b"application/json")), "method": "POST"}, wire.receive)
    server = MyServer(MemoryStore())
    response = await ChatKitResponse.of(server, request, Mine("alice"), keep_alive=1.5)
    assert_type(response, ChatKitResponse)
    plain: list[Response] = [response]
    assert plain


async def test_a_response_with_another_context_is_an_error() -> None:
    wire = Wire(chatkit_request("threads.list"))
    request = Request({**get((b"content-type", b"application/json")), "method": "POST"}, wire.receive)
    await ChatKitResponse.of(MyServer(MemoryStore()), request, "alice")  # type: ignore[misc]


def test_every_kind_of_factory_is_a_context_factory() -> None:
    plain: ContextFactory[Mine] = make
    later: ContextFactory[Mine] = make_later
    ours: ContextFactory[RequestContext] = RequestContext.of
    wide: ContextFactory[object] = plain
    wrong: ContextFactory[Mine] = make_other  # type: ignore[assignment]
    assert [plain, later, ours, wide, wrong]


def test_the_state_and_the_context_say_what_they_hold() -> None:
    _, state = RequestState.seed(get())
    state.principal = Principal(issuer="a", subject="b")
    state.locale = Negotiator(["en"]).negotiate("en")
    assert_type(state.principal, Principal)
    assert_type(state.locale, str)
    assert_type(state.request_id, str)
    assert_type(state.thread_id, str | None)
    assert_type(state.connection, HTTPConnection)
    context = RequestContext.of(state)
    assert_type(context, RequestContext)
    assert_type(context.user_id, str)
    assert_type(context.tenant_id, str | None)
    assert_type(context.translate("a"), str)
    assert_type(context.principal.scopes, frozenset[str])
    assert_type(context.principal.claims, Mapping[str, Any])
    with pytest.raises(AttributeError):
        context.locale = "fr"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        context.principal.subject = "c"  # type: ignore[misc]


def test_a_layer_is_an_app_and_takes_an_app() -> None:
    layers: list[ASGIApp] = [
        ChatKitEndpoint(DefaultServer(MemoryStore())),
        AuthMiddleware(Greeter(), authenticator=BEARER),
        LocaleMiddleware(Greeter(), supported=["en"]),
        TracingMiddleware(Greeter()),
    ]
    assert len(layers) == 4
    with pytest.raises(TypeError):
        AuthMiddleware(Greeter(), BEARER)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError):
        AuthMiddleware(Greeter(), authenticator="Bearer")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        FirstOf(BEARER, "Bearer")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        OpaqueBearer(
            introspection_url="https://idp.example.com/introspect",
            client_id="chatkit",
            client_secret="secret",
            issuer="https://idp.example.com",
            audience="chatkit",
            auth_method="none",  # type: ignore[arg-type]
        )


def test_an_authenticator_is_whatever_has_its_shape() -> None:
    class Badge:
        challenge = "Badge"

        async def authenticate(self, connection: HTTPConnection) -> Principal | None:
            return None

    class Late:
        challenge = "Badge"

        def authenticate(self, connection: HTTPConnection) -> Principal | None:
            return None

    badge: Authenticator = Badge()
    bearer: Authenticator = BEARER
    late: Authenticator = Late()  # type: ignore[assignment]
    assert [badge, bearer, late]


def test_a_wrapper_keeps_the_context_of_its_store() -> None:
    def stored() -> "Store[Mine]":
        return MemoryStore()

    assert_type(DelegatingStore(stored()), DelegatingStore[Mine])


# ------------------------------------------------------------------------------------------------ access


def test_a_guarded_store_has_the_context_of_its_inner_store() -> None:
    def stored() -> "Store[Mine]":
        return MemoryStore()

    guarded = OwnershipStore(stored(), principal=lambda mine: Principal(issuer="desk", subject=mine.user))
    assert_type(guarded, OwnershipStore[Mine])
    server = MyServer(guarded)
    assert_type(harden(server, auth=BEARER, access=guarded.guard.policy, context_factory=make), ASGIApp)


def test_a_policy_is_a_protocol() -> None:
    class Mine:
        async def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
            return resource is None or resource.owner.is_same(principal)

    policy: AccessPolicy = AnyOf(OwnerOnly(), PerAction({"threads:read": Mine()}))
    assert OwnershipStore(MemoryStore(), policy=policy).guard.policy is policy


def test_an_action_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="threads:reed"):
        PerAction({"threads:reed": OwnerOnly()})  # type: ignore[dict-item]


def test_a_policy_that_is_not_async_is_an_error() -> None:
    class Sync:
        def allows(self, principal: Principal, action: Action, resource: Resource | None, /) -> bool:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match="must be async"):
        AnyOf(Sync())  # type: ignore[arg-type]
