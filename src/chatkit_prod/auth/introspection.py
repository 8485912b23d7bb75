"""Asking an issuer what a token means: RFC 7662 §2."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args
from urllib.parse import quote_plus

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from chatkit_prod.errors import ConfigurationError, UnavailableError
from chatkit_prod.options import is_text, seconds

from .fetch import tls_context
from .single_flight import SingleFlight
from .strict_json import parse_object
from .urls import is_loopback_url, is_safe_url, shown

logger = logging.getLogger("chatkit_prod")

AuthMethod = Literal["client_secret_basic", "client_secret_post"]
"""How a client proves to the issuer who it is (RFC 6749 §2.3.1)."""

_MAX_ANSWER_BYTES = 64 * 1024
_MAX_CONNECTIONS = 20
_OK = 200
_BAD_REQUEST = 400
_UNSUPPORTED = "unsupported_token_type"
"""What an issuer says that looks up its opaque tokens alone, and was asked about a JWT (RFC 7009 §2.2.1)."""


class Answer(NamedTuple):
    """What an issuer has said about a token.

    Args:
        claims: The members of its answer.
        asked_at: Seconds since the epoch at which it was asked.
    """

    claims: Mapping[str, Any]
    asked_at: float


class _Peer(NamedTuple):
    """The connections to an issuer.

    Args:
        client: Authlib's.
        gate: Lets so many questions through at once. The client's own limit would hold up the event loop
            when thousands wait, because it walks through all of them for each.
    """

    client: Any
    gate: asyncio.Semaphore


class Introspection:
    """Asks one issuer, signed in as one client, and once for each token at a time.

    Args:
        url: The introspection endpoint: `https`, or on this machine.
        client_id: Who asks.
        client_secret: The proof; never logged.
        auth_method: How it is sent: `client_secret_basic` or `client_secret_post`.
        timeout: Seconds for one question, with the wait for a free connection.

    Raises:
        ConfigurationError: One of these cannot be used.
    """

    def __init__(
        self, *, url: str, client_id: str, client_secret: str, auth_method: AuthMethod, timeout: float
    ) -> None:
        if not is_safe_url(url):
            raise ConfigurationError(
                f"introspection_url must be an https URL, or one of this machine, not {shown(url)}"
            )
        if not is_text(client_id) or not is_text(client_secret):
            raise ConfigurationError(
                "client_id and client_secret must be text, and not empty: the issuer has to know who asks"
            )
        if auth_method not in get_args(AuthMethod):
            raise ConfigurationError(f"auth_method must be one of {', '.join(get_args(AuthMethod))}")
        self._url = url
        # In a header, both are encoded like a form (RFC 6749 §2.3.1), which Authlib leaves to us.
        encode = quote_plus if auth_method == "client_secret_basic" else str
        self._credentials = (encode(client_id), encode(client_secret))
        self._auth_method = auth_method
        self._timeout = seconds(timeout, "timeout")
        self._questions = SingleFlight[bytes, Answer]()
        self._peers = dict[asyncio.AbstractEventLoop, _Peer]()

    async def ask(self, key: bytes, token: bytes, now: float) -> Answer:
        """Return what the issuer says about a token; who asks at the same time gets the same answer.

        Args:
            key: Of the token.
            token: As the client sent it, untrusted; visible ASCII.
            now: Seconds since the epoch.

        Raises:
            UnavailableError: The issuer does not answer, or not with a JSON object.
        """
        return await self._questions.join(key, partial(self._ask, token.decode("ascii"), now))

    async def aclose(self) -> None:
        """Close the connections to the issuer, those of this event loop."""
        peer = self._peers.pop(asyncio.get_running_loop(), None)
        if peer is not None:
            await peer.client.aclose()

    async def _ask(self, token: str, now: float) -> Answer:
        try:
            peer = self._peer()
            async with asyncio.timeout(self._timeout), peer.gate:
                answer: httpx2.Response = await peer.client.introspect_token(
                    self._url,
                    token=token,
                    token_type_hint="access_token",  # noqa: S106 - the kind of a token
                    headers={"accept": "application/json", "accept-encoding": "identity"},
                )
            return Answer(_content(answer), now)
        except (httpx2.HTTPError, AuthlibBaseError, OSError, ValueError) as error:
            # Only our own errors have texts that hold nothing of an answer.
            reason = (str(error) if type(error) is ValueError else "") or type(error).__name__
            logger.error("%s could not be asked: %s", self._url, reason)
            raise UnavailableError("introspection") from None

    def _peer(self) -> "_Peer":
        """Return the connections of this event loop: those of another one cannot be used."""
        loop = asyncio.get_running_loop()
        if loop not in self._peers:
            self._peers = {other: peer for other, peer in self._peers.items() if not other.is_closed()}
            client: Any = AsyncOAuth2Client(
                *self._credentials,
                token_endpoint_auth_method=self._auth_method,
                timeout=None,  # `_ask` bounds the whole of it
                follow_redirects=False,
                event_hooks={"response": [_bounded]},
                verify=tls_context(),
                trust_env=not is_loopback_url(self._url),  # a proxy is somewhere else
            )
            self._peers[loop] = _Peer(client, asyncio.Semaphore(_MAX_CONNECTIONS))
        return self._peers[loop]


class _Bounded(httpx2.AsyncByteStream):
    """The body of an answer, read up to a limit and no further.

    Args:
        stream: The body.
    """

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > _MAX_ANSWER_BYTES:
                raise ValueError(f"more than {_MAX_ANSWER_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bounded(answer: httpx2.Response) -> None:
    """Bound what is read of an answer.

    Raises:
        ValueError: It is compressed, which we did not ask for; it may be any size inside.
    """
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("a compressed answer")
    answer.stream = _Bounded(cast("httpx2.AsyncByteStream", answer.stream))


def _content(answer: httpx2.Response) -> dict[str, Any]:
    """Return the answer of the issuer.

    Raises:
        ValueError: It is no answer to our question.
    """
    if answer.status_code == _BAD_REQUEST and parse_object(answer.content).get("error") == _UNSUPPORTED:
        return {"active": False}
    if answer.status_code != _OK:
        raise ValueError(f"status {answer.status_code}")
    return parse_object(answer.content)
