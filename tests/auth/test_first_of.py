"""Several kinds of credentials side by side, and no way around the one that knows them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import (
    Authenticator,
    AuthMiddleware,
    BackendAuthenticator,
    FirstOf,
    JWTBearer,
    Lifecycle,
)
from chatkit_prod.errors import (
    ForbiddenError,
    ForeignTokenError,
    InvalidTokenError,
    MalformedCredentialsError,
    RequestError,
    UnavailableError,
)
from chatkit_prod.testing import LocalIdentityProvider
from tests.auth.authority import Authority, active
from tests.auth.conftest import MakeBearer
from tests.layers import Greeter, exchange, get
from tests.servers import Wire

pytestmark = pytest.mark.anyio


class Saying(Lifecycle):
    """An authenticator that always says the same.

    Args:
        outcome: Returned, or raised.
        challenge: Of a 401.
        fails: Raised when it starts and when it stops.

    Attributes:
        heard: What it was asked to do.
    """

    def __init__(
        self, outcome: object = None, *, challenge: str = "Badge", fails: Exception | None = None
    ) -> None:
        self.challenge = challenge
        self.heard: list[str] = []
        self._outcome = outcome
        self._fails = fails

    async def authenticate(self, connection: HTTPConnection) -> Any:
        self.heard.append("authenticate")
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    async def warm(self) -> None:
        self._hear("warm")

    async def aclose(self) -> None:
        self._hear("aclose")

    def _hear(self, word: str) -> None:
        self.heard.append(word)
        if self._fails is not None:
            raise self._fails


def somebody(name: str) -> Principal:
    return Principal(issuer="badge", subject=name)


def foreign(reason: str = "issuer") -> ForeignTokenError:
    return ForeignTokenError("Badge", reason)


CONNECTION = HTTPConnection(get())


# ------------------------------------------------------------------------------------------------ who decides


async def test_the_first_that_knows_the_credentials_decides() -> None:
    asked = [Saying(), Saying(foreign()), Saying(somebody("alice")), Saying(somebody("bob"))]
    assert await FirstOf(*asked).authenticate(CONNECTION) == somebody("alice")
    assert [bool(one.heard) for one in asked] == [True, True, True, False]


async def test_without_credentials_of_any_kind_there_is_nobody() -> None:
    asked = [Saying(), Saying()]
    assert await FirstOf(*asked).authenticate(CONNECTION) is None
    assert [one.heard for one in asked] == [["authenticate"]] * 2


REFUSALS: dict[str, Exception] = {
    "bad token": InvalidTokenError("Badge"),
    "two tokens": MalformedCredentialsError("Badge", "two headers"),
    "forbidden": ForbiddenError("csrf"),
    "unavailable": UnavailableError("introspection"),
    "failure": ConnectionError("down"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_credentials_that_do_not_hold_are_refused_there_and_then(refusal: Exception) -> None:
    behind = Saying(somebody("alice"))
    with pytest.raises(type(refusal)) as caught:
        await FirstOf(Saying(), Saying(refusal), behind).authenticate(CONNECTION)
    assert caught.value is refusal
    assert behind.heard == []


@pytest.mark.parametrize("before", [0, 1], ids=["first", "after another kind"])
@pytest.mark.parametrize("behind", [0, 1], ids=["last", "before another kind"])
async def test_a_token_that_nobody_knows_is_refused_and_is_not_taken_for_none(
    before: int, behind: int
) -> None:
    error = foreign()
    with pytest.raises(ForeignTokenError) as caught:
        await FirstOf(*[Saying()] * before, Saying(error), *[Saying()] * behind).authenticate(CONNECTION)
    assert caught.value is error


async def test_a_token_that_nobody_knows_is_no_way_to_another_kind_of_credentials() -> None:
    cookie, other = Saying(somebody("alice"), challenge="Cookie"), Saying(challenge='badge realm="other"')
    with pytest.raises(ForeignTokenError):
        await FirstOf(Saying(foreign()), FirstOf(cookie, other)).authenticate(CONNECTION)
    assert (cookie.heard, other.heard) == ([], ["authenticate"])


async def test_credentials_of_another_kind_are_asked_about_before() -> None:
    either = FirstOf(Saying(somebody("alice"), challenge="Cookie"), Saying(foreign()))
    assert await either.authenticate(CONNECTION) == somebody("alice")


OUTCOMES = st.sampled_from(
    ["none", "foreign", "invalid", "alice", "bob"],
)


@settings(max_examples=100)
@given(st.lists(OUTCOMES, min_size=1, max_size=6))
async def test_only_a_principal_before_any_refusal_lets_somebody_in(outcomes: list[str]) -> None:
    says: dict[str, object] = {
        "none": None,
        "foreign": foreign(),
        "invalid": InvalidTokenError("Badge"),
        "alice": somebody("alice"),
        "bob": somebody("bob"),
    }
    decisive = next((word for word in outcomes if word in {"invalid", "alice", "bob"}), None)
    expected = says[decisive or ("foreign" if "foreign" in outcomes else "none")]
    try:
        found = await FirstOf(*(Saying(says[word]) for word in outcomes)).authenticate(CONNECTION)
    except RequestError as error:
        found = error  # type: ignore[assignment]
    assert type(found) is type(expected)
    assert not isinstance(expected, Principal) or found == expected


@pytest.mark.parametrize("answer", [True, False, "alice", (), 0], ids=repr)
async def test_what_is_neither_a_principal_nor_none_lets_nobody_in(answer: object) -> None:
    with pytest.raises(ConfigurationError, match="authenticate of Saying must return Principal or None"):
        await FirstOf(Saying(answer)).authenticate(CONNECTION)
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=FirstOf(Saying(answer), Saying(somebody("alice"))))
    assert (await Wire().request(app, get())).status == 500
    assert inside.scopes == []


class Banning(FirstOf):
    """One that decides more than its members do."""

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        if await super().authenticate(connection):
            raise InvalidTokenError("Badge", "banned")
        return None


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_what_an_app_has_made_of_it_decides_at_any_depth(depth: int) -> None:
    authenticator: FirstOf = Banning(Saying(somebody("alice")))
    for _ in range(depth):
        authenticator = FirstOf(Saying(), authenticator)
    assert await outcome(authenticator) == (401, "invalid_token")


# ------------------------------------------------------------------------------------------------ the challenge


async def test_a_401_lists_the_challenge_of_each_kind_once() -> None:
    kinds = ['Bearer realm="chatkit"', "Badge", 'Bearer realm="chatkit"', 'Cookie cookie-name="s"', "Badge"]
    either = FirstOf(*(Saying(challenge=kind) for kind in kinds))
    wire = await Wire().request(AuthMiddleware(Greeter(), authenticator=either), get())
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == 'Bearer realm="chatkit", Badge, Cookie cookie-name="s"'


async def test_a_403_for_a_scope_names_the_kind_of_credentials_that_lack_it() -> None:
    either = FirstOf(Saying(challenge='Bearer realm="chatkit"'), Saying(somebody("ci"), challenge="Badge"))
    app = AuthMiddleware(Greeter(), authenticator=either, required_scopes=["chat"])
    wire = await Wire().request(app, get())
    assert wire.headers["www-authenticate"] == 'Badge error="insufficient_scope", scope="chat"'


# ------------------------------------------------------------------------------------------------ real kinds


FIRST = LocalIdentityProvider(issuer="https://one.example.com", algorithm="Ed25519")
SECOND = LocalIdentityProvider(issuer="https://two.example.com", algorithm="Ed25519")


def jwt_bearer(provider: LocalIdentityProvider) -> JWTBearer:
    return JWTBearer(issuer=provider.issuer, audience=provider.audience, jwks=provider.jwks)


async def outcome(authenticator: FirstOf, *headers: tuple[bytes, bytes]) -> tuple[int, str]:
    """Return the status of an answer, and who has come in or why nobody has."""
    inside = Greeter()
    wire = await Wire().request(AuthMiddleware(inside, authenticator=authenticator), get(*headers))
    if inside.scopes:
        return wire.status, inside.state.principal.subject
    return wire.status, wire.json["code"]


def authorization(token: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {token}".encode())


async def test_two_issuers_share_a_header_and_cannot_speak_for_each_other() -> None:
    either = FirstOf(jwt_bearer(FIRST), jwt_bearer(SECOND))
    assert await outcome(either, authorization(FIRST.token("alice"))) == (200, "alice")
    assert await outcome(either, authorization(SECOND.token("bob"))) == (200, "bob")
    forged = SECOND.token("alice", iss=FIRST.issuer)
    assert await outcome(either, authorization(forged)) == (401, "invalid_token")
    stranger = LocalIdentityProvider(issuer="https://three.example.com", algorithm="Ed25519")
    assert await outcome(either, authorization(stranger.token("eve"))) == (401, "invalid_token")
    assert await outcome(either, *[authorization(FIRST.token("alice"))] * 2) == (400, "invalid_request")
    assert await outcome(either) == (401, "authentication_required")


async def test_a_token_of_no_shape_we_know_goes_on_to_the_opaque_ones(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says["t1"] = active(sub="carol")
    either = FirstOf(jwt_bearer(FIRST), bearer())
    assert await outcome(either, authorization("t1")) == (200, "carol")
    assert await outcome(either, authorization("t2")) == (401, "invalid_token")
    assert authority.asked == ["t1", "t2"]


async def test_a_signed_token_that_is_known_is_never_asked_about(
    authority: Authority, bearer: MakeBearer
) -> None:
    expired, good = FIRST.token("alice", expires_in=-3600), FIRST.token("alice")
    authority.says[expired] = active(sub="alice")
    either = FirstOf(jwt_bearer(FIRST), bearer())
    assert await outcome(either, authorization(good)) == (200, "alice")
    assert await outcome(either, authorization(expired)) == (401, "invalid_token")
    assert authority.questions == []


class Door(AuthenticationBackend):
    """A backend as Starlette has them."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("x-door")
        return None if name is None else (AuthCredentials(["read"]), SimpleUser(name))


async def test_a_backend_of_starlettes_stands_beside_the_others() -> None:
    either = FirstOf(jwt_bearer(FIRST), Door())
    assert await outcome(either, (b"x-door", b"dave")) == (200, "dave")
    assert await outcome(either, authorization(FIRST.token("alice")), (b"x-door", b"dave")) == (200, "alice")
    forged = FIRST.token("alice")[:-4] + "AAAA"
    assert await outcome(either, authorization(forged), (b"x-door", b"dave")) == (401, "invalid_token")


async def test_a_backend_with_a_scheme_of_its_own_is_not_asked_about_a_token_that_nobody_knows() -> None:
    either = FirstOf(jwt_bearer(FIRST), BackendAuthenticator(Door(), challenge="Door"))
    assert await outcome(either, (b"x-door", b"dave")) == (200, "dave")
    stranger = authorization(SECOND.token("bob"))
    assert await outcome(either, stranger, (b"x-door", b"dave")) == (401, "invalid_token")


# ------------------------------------------------------------------------------------------------ start and stop


async def test_starting_and_stopping_reach_all_of_them_at_any_depth() -> None:
    asked = [Saying(), Saying(), Saying()]
    either = FirstOf(asked[0], Door(), FirstOf(asked[1], FirstOf(asked[2])))
    await either.warm()
    assert [one.heard for one in asked] == [["warm"]] * 3
    await either.aclose()
    assert [one.heard for one in asked] == [["warm", "aclose"]] * 3


async def test_an_app_starts_and_stops_them_with_its_lifespan() -> None:
    asked = [Saying(), Saying()]
    app = Starlette(lifespan=FirstOf(*asked).lifespan)
    received = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await exchange(app, {"type": "lifespan", "state": {}}, *received)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert [one.heard for one in asked] == [["warm", "aclose"]] * 2


async def test_one_that_does_not_answer_does_not_keep_the_others_from_warming_up() -> None:
    asked = [Saying(fails=UnavailableError("jwks")), Saying()]
    with pytest.raises(UnavailableError):
        await FirstOf(*asked).warm()
    assert [one.heard for one in asked] == [["warm"]] * 2


async def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    asked = [Saying(fails=ConnectionError("gone")), Saying()]
    with pytest.raises(ConnectionError):
        await FirstOf(*asked).aclose()
    assert [one.heard for one in asked] == [["aclose"]] * 2


# ------------------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    "authenticators",
    [[], [None], ["Bearer"], [Saying], [Saying(), object()], [[Saying()]]],
    ids=["nothing", "none", "text", "class", "object", "list"],
)
def test_what_is_not_an_authenticator_is_refused_at_construction(authenticators: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match="authenticator"):
        FirstOf(*authenticators)


def test_several_are_an_authenticator_again() -> None:
    assert isinstance(FirstOf(Saying()), Authenticator)
