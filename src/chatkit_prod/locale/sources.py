"""Where a request says which language its user speaks, and what a cache has to know about it.

    "principal" | "principal:claim" | "cookie" | "cookie:name" | "query" | "query:name" | "header" | a callable

What is found is untrusted, and looks like the value of `Accept-Language`: a single tag will do.
"""

import inspect
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote_plus, unquote_plus

from chatkit_prod.asgi import Scope, header_values, is_token
from chatkit_prod.errors import ConfigurationError, stack_of
from chatkit_prod.options import named
from chatkit_prod.state import RequestState

logger = logging.getLogger("chatkit_prod")

NAME = "locale"
"""Of the claim (OpenID Connect Core 1.0 §5.1), the cookie and the query parameter, unless another is given."""

_MAX_QUERY_BYTES = 2048
_MAX_COOKIE_BYTES = 8192

Find = Callable[[Scope, RequestState], str | None]


class Source:
    """One of them.

    Args:
        find: Returns what the request says, or None.
        vary: The request headers that it looks at (RFC 9110 §12.5.5).
    """

    __slots__ = ("find", "vary")

    def __init__(self, find: Find, vary: tuple[bytes, ...]) -> None:
        self.find = find
        self.vary = vary


def read_sources(sources: Iterable[str | Callable[[RequestState], str | None]]) -> list[Source]:
    """Return where to look, in order.

    Raises:
        ConfigurationError: One is none of those above, or there is none.
    """
    if isinstance(sources, str) or not isinstance(sources, Iterable):
        raise ConfigurationError(f'sources must be a list, such as ("cookie", "header"), not {sources!r}')
    found = [_read(source) for source in sources]
    if not found:
        raise ConfigurationError("sources must hold at least one place to look for the language")
    return found


def _read(source: object) -> Source:
    if inspect.iscoroutinefunction(source) or inspect.iscoroutinefunction(type(source).__call__):
        raise ConfigurationError("a callable in sources cannot be async: it has to return a tag or None")
    if callable(source):
        return Source(_called(source), (b"*",))
    kind, colon, name = source.partition(":") if isinstance(source, str) else ("", "", "")
    name = name if colon else NAME
    if kind == "header" and not colon:
        return Source(_in_header, (b"Accept-Language",))
    if kind == "principal" and name:
        return Source(_in_claim(name), (b"Authorization", b"Cookie"))
    if kind == "cookie" and is_token(name):
        return Source(_in_cookie(name), (b"Cookie",))
    if kind == "query" and name:
        return Source(_in_query(name), ())
    raise ConfigurationError(
        "a source is one of principal, cookie, query and header, the first three perhaps with a colon and a name, "
        f"or a callable; not {source if isinstance(source, str) else named(source)!r}"
    )


def _in_header(scope: Scope, _state: RequestState) -> str | None:
    values = [*header_values(scope, b"accept-language")]
    return (values[0] if len(values) == 1 else b",".join(values)).decode("latin-1") if values else None


def _in_claim(name: str) -> Find:
    def find(_scope: Scope, state: RequestState) -> str | None:
        principal = state.peek().principal
        claims = None if principal is None else principal.claims
        value = claims.get(name) if isinstance(claims, Mapping) else None
        return value if isinstance(value, str) else None

    return find


def _in_cookie(name: str) -> Find:
    # no tag needs the escapes of a cookie, and http.cookies takes quadratic time for them (CVE-2024-7592)
    cookie = re.compile(rb"(?:^|;)[ \t]*" + re.escape(name.encode()) + rb'[ \t]*=[ \t"]*([^;"]*)')

    def find(scope: Scope, _state: RequestState) -> str | None:
        left = _MAX_COOKIE_BYTES
        for value in header_values(scope, b"cookie"):
            if len(value) > left:
                continue
            left -= len(value)
            found = cookie.search(value)
            if found is not None:
                return found[1].strip().decode("latin-1")
        return None

    return find


def _in_query(name: str) -> Find:
    wanted = quote_plus(name).encode()

    def find(scope: Scope, _state: RequestState) -> str | None:
        query: bytes = scope.get("query_string", b"")
        if len(query) > _MAX_QUERY_BYTES:
            return None
        for pair in query.split(b"&"):
            key, _, value = pair.partition(b"=")
            if key == wanted:
                return unquote_plus(value.decode("latin-1"))
        return None

    return find


def _called(source: Callable[[RequestState], object]) -> Find:
    def find(_scope: Scope, state: RequestState) -> str | None:
        try:
            found = source(state)
        except ConfigurationError as error:
            if state.peek().principal is not None:
                logger.error("a source of the locale failed: %s", type(error).__qualname__)
            return None  # it asks for the user, and the request is refused because nobody knows who that is
        except Exception as error:  # noqa: BLE001 - for a language alone no request has to fail
            logger.error("a source of the locale failed\n%s", stack_of(error))
            return None
        if found is not None and not isinstance(found, str):
            logger.error("a source of the locale must return a tag or None, not %s", named(found))
            return None
        return found

    return find
