"""Where a token stands in a request: RFC 6750 §2, and what has to be refused before anybody looks at it."""

import re

from starlette.requests import HTTPConnection

from chatkit_prod.asgi import header_values, is_token
from chatkit_prod.errors import ConfigurationError, MalformedCredentialsError

_IN_QUERY = re.compile(rb"(?:\A|&)access_token=")
# What is no character of a scheme (RFC 9110 §5.6.2) ends it, where there should be a space.
_MEANT_FOR_US = re.compile(rb"bearer[^!#$%&'*+.^_`|~0-9A-Za-z-]", re.IGNORECASE)

CHALLENGE = 'Bearer realm="chatkit"'
"""What a 401 asks for: the scheme needs a parameter (RFC 6750 §3)."""


class TokenHeader:
    """Finds the one token of a request.

    Args:
        name: The header. `Authorization` holds `Bearer` and the token; any other header, which an
            access proxy sets, the token alone.

    Raises:
        ConfigurationError: `name` is not the name of a header.
    """

    __slots__ = ("_is_authorization", "_name")

    def __init__(self, name: str) -> None:
        if not is_token(name):
            raise ConfigurationError(f"header must be the name of a header, not {name!r}")
        self._name = name.lower().encode()
        self._is_authorization = self._name == b"authorization"

    def token(self, connection: HTTPConnection) -> bytes | None:
        """Return the token as the client sent it, or None if there is none.

        A token in the query or in the body is not one: URLs are logged everywhere (RFC 9700 §4.3.2).

        Raises:
            MalformedCredentialsError: There are two of these headers, or a second token stands in the
                query (RFC 6750 §2), or nothing follows the scheme, or something else than a space.
        """
        values = list(header_values(connection.scope, self._name))
        if not values:
            return None
        if len(values) > 1:
            raise MalformedCredentialsError(CHALLENGE, "two headers")
        if not self._is_authorization:
            return values[0].strip(b" \t")
        scheme, _, token = values[0].partition(b" ")
        if scheme.lower() != b"bearer":
            if _MEANT_FOR_US.match(scheme):
                raise MalformedCredentialsError(CHALLENGE, "malformed")
            return None
        if _IN_QUERY.search(connection.scope.get("query_string", b"")):
            raise MalformedCredentialsError(CHALLENGE, "second token in the query")
        token = token.strip(b" ")
        if not token:
            raise MalformedCredentialsError(CHALLENGE, "no token")
        return token
