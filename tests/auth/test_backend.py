"""A backend that was written for Starlette is believed as far as it goes."""

from typing import Any

import pytest
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
    UnauthenticatedUser,
)
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import AuthMiddleware
from chatkit_prod.auth.backend import BackendAuthenticator, as_authenticator
from chatkit_prod.errors import ForbiddenError, InvalidTokenError
from tests.layers import Greeter, get
from tests.servers import Wire

pytestmark = pytest.mark.anyio

CONNECTION = HTTPConnection(get())


class Door(AuthenticationBackend):
    """A backend that always says the same.

    Args:
        outcome: Returned, or raised.
    """

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome
        self.asked: list[HTTPConnection] = []

    async def authenticate(self, conn: HTTPConnection) -> Any:
        self.asked.append(conn)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Silent(BackendAuthenticator):
    """An authenticator that has forgotten its challenge."""

    def __init__(self) -> None:
        super().__init__(Door(None))
        self.challenge = ""


class Person(BaseUser):
    """A user of an app, who has a name for people.

    Args:
        identity: None if the app's class does not have it.
        name: The name.
        is_authenticated: What the app says about that.
    """

    def __init__(self, identity: Any = None, name: str = "Alice", *, is_authenticated: Any = True) -> None:
        self._identity = identity
        self._name = name
        self._is_authenticated = is_authenticated

    @property
    def is_authenticated(self) -> bool:
        authenticated: bool = self._is_authenticated
        return authenticated

    @property
    def display_name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        identity: str = super().identity if self._identity is None else self._identity
        return identity


def says(user: BaseUser, *scopes: str) -> tuple[AuthCredentials, BaseUser]:
    return AuthCredentials(scopes), user


async def authenticate(outcome: object) -> Principal | None:
    return await BackendAuthenticator(Door(outcome)).authenticate(CONNECTION)


async def test_the_user_of_a_backend_becomes_the_principal() -> None:
    user = SimpleUser("alice")
    principal = await authenticate(says(user, "authenticated", "read"))
    assert principal == Principal(
        issuer="Door",
        subject="alice",
        scopes=frozenset({"authenticated", "read"}),
        method="backend",
    )
    assert principal is not None
    assert principal.claims == {"user": user}


async def test_the_identity_of_an_own_user_is_the_subject_not_the_name() -> None:
    principal = await authenticate(says(Person("u7", "Alice")))
    assert principal
    assert principal.subject == "u7"


@pytest.mark.parametrize(
    "user",
    [Person(""), Person(name="alice")],
    ids=lambda user: repr(user._identity),
)
async def test_a_user_who_has_no_identity_is_refused(user: Person) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        await authenticate(says(user))
    assert caught.value.reason == "no identity"


@pytest.mark.parametrize("identity", [7, b"u7", ("u", 7), True], ids=repr)
async def test_an_identity_that_is_no_text_is_the_mistake_of_the_app(identity: Any) -> None:
    with pytest.raises(ConfigurationError, match="identity of Person must be text, not a"):
        await authenticate(says(Person(identity)))


@pytest.mark.parametrize(
    "outcome",
    [
        "alice",
        SimpleUser("alice"),
        (AuthCredentials(), SimpleUser("alice"), 1),
        (SimpleUser("alice"), AuthCredentials()),
        (AuthCredentials(), "alice"),
        (AuthCredentials(), None),
        (["read"], SimpleUser("alice")),
    ],
    ids=["text", "a user", "three", "swapped", "a name", "no user", "scopes alone"],
)
async def test_what_is_no_pair_is_the_mistake_of_the_app(outcome: object) -> None:
    with pytest.raises(ConfigurationError, match="authenticate of Door must return"):
        await authenticate(outcome)


async def test_a_backend_that_is_not_async_is_named() -> None:
    class Late(AuthenticationBackend):
        def authenticate(self, conn: HTTPConnection) -> Any:
            return says(SimpleUser("alice"))

    with pytest.raises(ConfigurationError, match=r"authenticate of .*Late must be async"):
        await BackendAuthenticator(Late()).authenticate(CONNECTION)


@pytest.mark.parametrize("backend", [Door, None, "Basic"], ids=repr)
def test_what_is_no_backend_is_refused_at_construction(backend: Any) -> None:
    with pytest.raises(ConfigurationError, match="backend must be an AuthenticationBackend"):
        BackendAuthenticator(backend)


@pytest.mark.parametrize("challenge", ["", None, 401], ids=repr)
def test_a_challenge_that_is_no_text_is_refused_at_construction(challenge: Any) -> None:
    with pytest.raises(ConfigurationError, match="challenge"):
        BackendAuthenticator(Door(None), challenge=challenge)


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        says(UnauthenticatedUser()),
        says(Person("u7", is_authenticated=False)),
        says(Person("u7", is_authenticated=None)),
        says(Person("u7", is_authenticated=lambda: False)),
        says(Person("u7", is_authenticated="no")),
    ],
    ids=["none", "anonymous", "not authenticated", "nothing said", "a method, as in old Djangos", "a word"],
)
async def test_who_is_not_authenticated_is_nobody(outcome: object) -> None:
    assert await authenticate(outcome) is None


async def test_a_principal_is_handed_on_as_it_is() -> None:
    principal = Principal(issuer="desk", subject="alice", tenant="acme", scopes=frozenset({"write"}))
    assert await authenticate(says(principal, "read")) is principal


async def test_the_refusal_of_a_backend_is_an_invalid_token_without_its_text() -> None:
    with pytest.raises(InvalidTokenError) as caught:
        await authenticate(AuthenticationError("token t1 is not known"))
    assert caught.value.reason == "backend"
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="chatkit", error="invalid_token"'}
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("error", [ForbiddenError("csrf"), HTTPException(403), KeyError("t1")], ids=repr)
async def test_what_else_a_backend_raises_is_left_to_the_layer(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await authenticate(error)
    assert caught.value is error


async def test_the_backend_sees_the_connection() -> None:
    door = Door(None)
    await BackendAuthenticator(door).authenticate(CONNECTION)
    assert door.asked == [CONNECTION]


STATUSES: dict[str, tuple[object, int, str | None]] = {
    "let in": (says(SimpleUser("alice")), 200, None),
    "nobody": (None, 401, 'Bearer realm="chatkit"'),
    "refused": (AuthenticationError("no"), 401, 'Bearer realm="chatkit", error="invalid_token"'),
    "neither a pair nor none": ("alice", 500, None),
    "a user alone": (SimpleUser("alice"), 500, None),
    "no user": ((AuthCredentials(["read"]), None), 500, None),
    "no credentials": ((None, SimpleUser("alice")), 500, None),
}


@pytest.mark.parametrize(("outcome", "status", "challenge"), STATUSES.values(), ids=STATUSES.keys())
async def test_a_backend_is_an_authenticator_of_the_layer(
    outcome: object, status: int, challenge: str | None
) -> None:
    inside = Greeter()
    wire = await Wire().request(AuthMiddleware(inside, authenticator=Door(outcome)), get())
    assert wire.status == status
    assert wire.headers.get("www-authenticate") == challenge
    assert len(inside.scopes) == (status == 200)


def test_an_authenticator_is_taken_as_it_is() -> None:
    authenticator = BackendAuthenticator(Door(None))
    assert as_authenticator(authenticator) is authenticator


@pytest.mark.parametrize(
    "candidate",
    [None, "Bearer", object(), Door, BackendAuthenticator, AuthenticationBackend, Silent()],
    ids=["none", "text", "object", "backend class", "authenticator class", "abstract class", "no challenge"],
)
def test_what_is_neither_is_refused(candidate: object) -> None:
    with pytest.raises(ConfigurationError, match="authenticator must be"):
        as_authenticator(candidate)
