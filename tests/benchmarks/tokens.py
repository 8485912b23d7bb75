"""What authentication costs, side by side with joserfc's own decoding of the same tokens."""

import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey
from joserfc.jws import JWSRegistry

from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.testing import LocalIdentityProvider

from .measure import Batch, paired, ratio

ALGORITHMS = ("HS256", "RS256", "ES256", "Ed25519")


class Signed:
    """A token of one algorithm, and those who verify it.

    Args:
        algorithm: Its `alg`.
    """

    def __init__(self, algorithm: str) -> None:
        provider = LocalIdentityProvider(algorithm="RS256" if algorithm == "HS256" else algorithm)
        if algorithm == "HS256":
            secret = OctKey.generate_key(256, {"kid": uuid.uuid4().hex, "alg": algorithm})
            self.jwks: Any = {"keys": [secret.as_dict(private=True)]}
            now = int(time.time())
            claims: dict[str, Any] = {"iss": provider.issuer, "aud": provider.audience, "sub": "user"}
            claims |= {"client_id": "local", "iat": now, "exp": now + 3600, "jti": uuid.uuid4().hex}
            claims["scope"] = "chat read"
            self.token = jwt.encode({"alg": algorithm, "typ": "at+jwt", "kid": secret.kid}, claims, secret)
        else:
            self.jwks = provider.jwks
            self.token = provider.token("user", scopes=["chat", "read"])
        self._options: dict[str, Any] = {"issuer": provider.issuer, "audience": provider.audience}
        self._options |= {"jwks": self.jwks, "algorithms": [algorithm]}
        self._keys = KeySet.import_key_set(self.jwks)
        self._registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)

    def bearer(self, *, cache_size: int) -> JWTBearer:
        """Return our verifier."""
        return JWTBearer(**self._options, cache_size=cache_size)

    async def joserfc(self) -> None:
        """Do what joserfc does: the signature and the JSON, without a look at the claims."""
        jwt.decode(self.token, self._keys, registry=self._registry)


def repeated(action: Callable[[], Awaitable[object]], *, size: int) -> Batch:
    """Return a batch of one action."""

    async def run() -> float:
        started = time.process_time()
        for _ in range(size):
            await action()
        return (time.process_time() - started) / size

    return run


async def uncached(rounds: int) -> dict[str, float]:
    """Return our time for a whole verification over joserfc's for its part of one, by algorithm."""
    found: dict[str, float] = {}
    for algorithm in ALGORITHMS:
        signed = Signed(algorithm)
        bearer, token = signed.bearer(cache_size=0), signed.token.encode()
        figures = await paired(
            {
                "ours": repeated(partial(bearer.verify, token), size=300),
                "joserfc": repeated(signed.joserfc, size=300),
            },
            rounds=rounds,
        )
        found[algorithm] = ratio(figures, "ours", "joserfc")
    return found


async def cached(rounds: int) -> tuple[float, float]:
    """Return the seconds for a token that is known: in the verifier, and in the whole middleware."""
    signed = Signed("RS256")
    bearer, token = signed.bearer(cache_size=10), signed.token.encode()
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/chatkit",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"authorization", b"Bearer " + token),
        ],
        "state": {},
    }

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    async def receive() -> Message:
        raise NotImplementedError

    async def send(_message: Message) -> None:
        raise NotImplementedError

    middleware = AuthMiddleware(nothing, authenticator=bearer)
    figures = await paired(
        {
            "verifier": repeated(partial(bearer.verify, token), size=3000),
            "middleware": repeated(partial(middleware, scope, receive, send), size=1000),
        },
        rounds=rounds,
    )
    return statistics.median(figures["verifier"]), statistics.median(figures["middleware"])
