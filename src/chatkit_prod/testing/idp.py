"""A small identity provider on the spot: keys, a JWKS, tokens."""

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from chatkit_prod.options import listed

_KEY_BITS = 2048


class LocalIdentityProvider:
    """Signs access tokens (RFC 9068) with keys that live as long as the object. For tests and demos.

    Args:
        issuer: The `iss` of its tokens.
        audience: Their `aud`, unless another is asked for.
        algorithm: `RS256`, `ES256` or `Ed25519`.
    """

    def __init__(
        self, *, issuer: str = "https://idp.localhost", audience: str = "chatkit", algorithm: str = "RS256"
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.algorithm = algorithm
        self._key = _generate(algorithm)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys, as a `JWTBearer` takes them."""
        return {"keys": [self._key.as_dict(private=False)]}

    def token(
        self,
        subject: str,
        *,
        scopes: Sequence[str] = (),
        expires_in: float = 3600.0,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a signed access token.

        Args:
            subject: The user.
            scopes: A list; ends up in `scope`, with spaces.
            expires_in: Seconds until `exp`; negative for a token that has expired.
            header: Header parameters to add or replace; None leaves one out.
            claims: Claims to add or replace; None leaves one out.

        Raises:
            ConfigurationError: `scopes` is no list of texts.
        """
        now = time.time()
        payload: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "client_id": "local",
            "iat": int(now),
            "exp": now + expires_in,
            "jti": uuid.uuid4().hex,
            "scope": " ".join(listed(scopes, "scopes")),
        } | claims
        head: dict[str, Any] = {"alg": self.algorithm, "typ": "at+jwt", "kid": self._key.kid} | (header or {})
        registry = JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        return jws.serialize_compact(
            _present(head), json.dumps(_present(payload)), self._key, registry=registry
        )


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _generate(algorithm: str) -> RSAKey | ECKey | OKPKey:
    parameters: KeyParameters = {"alg": algorithm, "use": "sig", "kid": uuid.uuid4().hex}
    match algorithm:
        case "RS256":
            return RSAKey.generate_key(_KEY_BITS, parameters)
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "Ed25519":
            return OKPKey.generate_key("Ed25519", parameters)
        case _:
            raise ValueError(f"no key for {algorithm}")
