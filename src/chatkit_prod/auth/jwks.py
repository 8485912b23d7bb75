"""The keys of an issuer, fetched and kept fresh: OpenID Connect Discovery 1.0 §4, RFC 8414, RFC 7517.

Theory of operation. A request does not wait for the provider while there are keys young enough:

    age of the keys   0 ── refresh_after ────── max_age ──────────── stale_limit
    a request         uses them │ uses them,    │ waits for newer,   │ is refused, unless
                                │ fetch behind  │ uses them if the   │ a fetch succeeds
                                │ its back      │ provider is down   │

* There is one fetch at a time, and whoever needs it waits for the same one.
* After a failed fetch there is none for `cooldown` seconds.
* A token with an unknown `kid` asks for newer keys, since they may have been rotated; that happens
  once per `cooldown` as well, however many of such tokens there are. A fetch for another reason that was
  under way before the token came does not count: it may have been answered before the rotation.
* What cannot be used, a document without a single good key say, changes nothing.
"""

import asyncio
import logging
import math
from time import monotonic
from typing import Any

import httpx2
from authlib.oauth2.rfc8414 import get_well_known_url as oauth_metadata_url
from authlib.oidc.discovery import get_well_known_url as openid_metadata_url

from chatkit_prod.errors import ConfigurationError, UnavailableError
from chatkit_prod.options import named, seconds

from .fetch import FetchError, fetch
from .keys import Keys
from .lifecycle import Lifecycle
from .single_flight import SingleFlight
from .strict_json import parse_object
from .urls import is_loopback_url, is_safe_url, shown

logger = logging.getLogger("chatkit_prod")


class RemoteJWKS(Lifecycle):
    """The keys that an issuer publishes, fetched at the first request that needs them.

    Args:
        issuer: Where to discover them: the OpenID metadata of this issuer, or those of RFC 8414,
            which must name exactly this issuer (RFC 8414 §3.3).
        url: Where they are, for an issuer without metadata; then nothing is discovered.
        refresh_after: Seconds after which newer keys are fetched behind the back of a request.
        max_age: Seconds after which a request waits for newer keys.
        stale_limit: Seconds after which keys are not used any more, even if the provider is down.
        cooldown: Seconds between two fetches for unknown keys, and after a fetch that failed.
        timeout: Seconds for one fetch, discovery included.
        client: With which to fetch, if there is a proxy or a private certificate authority; neither
            its timeouts nor its redirects are used. The app closes it.

    Raises:
        ConfigurationError: There is neither `issuer` nor `url`, one is not `https` (loopback excepted),
            the seconds are not in their order, or `client` is none.
    """

    def __init__(
        self,
        *,
        issuer: str | None = None,
        url: str | None = None,
        refresh_after: float = 300.0,
        max_age: float = 900.0,
        stale_limit: float = 14_400.0,
        cooldown: float = 10.0,
        timeout: float = 5.0,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        origin = issuer if url is None else url
        if origin is None:
            raise ConfigurationError("RemoteJWKS needs an issuer or a url")
        if not is_safe_url(origin):
            raise ConfigurationError(
                f"the keys come from an https URL, or from this machine, not {shown(origin)}"
            )
        ages = (
            seconds(refresh_after, "refresh_after"),
            seconds(max_age, "max_age"),
            seconds(stale_limit, "stale_limit"),
        )
        if list(ages) != sorted(ages):
            raise ConfigurationError("the keys need 0 < refresh_after <= max_age <= stale_limit")
        if client is not None and not isinstance(client, httpx2.AsyncClient):
            raise ConfigurationError(f"client must be an httpx2.AsyncClient, not {named(client)}")
        self._issuer = issuer
        self._origin = origin
        self._fixed_url = url
        self._url = url
        self._refresh_after = refresh_after
        self._max_age = max_age
        self._stale_limit = stale_limit
        self._cooldown = seconds(cooldown, "cooldown")
        self._timeout = seconds(timeout, "timeout")
        self._client = client
        self._keys: Keys | None = None
        self._fetched_at = -math.inf
        self._next_fetch_at = -math.inf
        self._next_unknown_at = -math.inf
        self._fetches = SingleFlight[None, None]()

    @property
    def issuer(self) -> str | None:
        """Whose keys these are, if that was said."""
        return self._issuer

    async def warm(self) -> None:
        """Fetch the keys now, so that the first request need not.

        Raises:
            UnavailableError: The provider does not answer with any; the log says how.
        """
        await self.load()

    def current(self) -> Keys | None:
        """Return the keys that are good to go by now, and see to it that they stay fresh."""
        age = monotonic() - self._fetched_at
        if age < self._refresh_after:
            return self._keys
        if age < self._max_age:
            self._begin()
            return self._keys
        return None

    async def load(self) -> Keys:
        """Return the keys; newer ones if the provider answers, the old ones up to `stale_limit` if not.

        Raises:
            UnavailableError: There are none, or they are too old.
        """
        self._begin()
        await self._fetches.settled(None)
        if self._keys is None or monotonic() - self._fetched_at >= self._stale_limit:
            raise self._unavailable()
        return self._keys

    async def newer(self, known: Keys, kid: str | None, /) -> Keys:
        """Return keys that somebody else has fetched meanwhile, or that are fetched now, if it is time.

        Raises:
            UnavailableError: The provider is down, so that nobody can tell.
        """
        await self._fetches.settled(None)  # what was asked before the rotation is answered without it
        keys = self._keys or known
        if keys is known or (kid is not None and kid not in keys):
            if monotonic() >= self._next_unknown_at and self._begin():
                self._next_unknown_at = monotonic() + self._cooldown
            await self._fetches.settled(None)
            if monotonic() < self._next_fetch_at:
                raise self._unavailable()
        return self._keys or known

    def _unavailable(self) -> UnavailableError:
        return UnavailableError("keys", retry_after=math.ceil(self._cooldown))

    def _begin(self) -> bool:
        """Begin a fetch, unless one is under way, or has just failed; tell whether it has begun."""
        return monotonic() >= self._next_fetch_at and self._fetches.start(None, self._refresh)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                keys = await self._fetched()
        except Exception as error:  # noqa: BLE001 - whatever it was, the keys that we have go on
            self._next_fetch_at = monotonic() + self._cooldown
            self._url = self._fixed_url
            reason = error if isinstance(error, FetchError) else type(error).__name__
            logger.error("the keys of %s could not be fetched: %s", self._origin, reason)
            return
        self._fetched_at = monotonic()
        if not keys.is_same_as(self._keys):
            self._keys = keys
            for index, reason in keys.rejected:
                logger.warning("key %d of %s is left out: %s", index, self._origin, reason)

    async def _fetched(self) -> Keys:
        """Fetch the keys.

        Raises:
            FetchError: They cannot be had, or none of them is good.
        """
        if self._url is None:
            self._url = await self._discovered()
        document = await self._object(self._url)
        try:
            keys = Keys(document)
        except ValueError as error:
            raise FetchError(f"{self._url}: {error}") from error
        if not keys:
            raise FetchError(f"{self._url}: no key that can verify a signature")
        return keys

    async def _discovered(self) -> str:
        """Return the `jwks_uri` of the issuer's metadata.

        Raises:
            FetchError: There are none, or they are somebody else's, or lead to where we do not go.
        """
        issuer = self._origin
        bare = issuer.rstrip("/")  # RFC 8414 §3.1
        for url in (openid_metadata_url(bare, external=True), oauth_metadata_url(bare, external=True)):
            metadata = await self._object(url)
            if metadata is None:
                continue
            if metadata.get("issuer") != issuer:
                raise FetchError(f"{url}: the metadata of another issuer")
            jwks_uri: object = metadata.get("jwks_uri")
            if not isinstance(jwks_uri, str) or not is_safe_url(jwks_uri, loopback=is_loopback_url(issuer)):
                raise FetchError(f"{url}: no jwks_uri that may be fetched")
            return jwks_uri
        raise FetchError(f"{issuer}: no metadata")

    async def _object(self, url: str) -> dict[str, Any] | None:
        content = await fetch(url, timeout_seconds=self._timeout, client=self._client)
        try:
            return None if content is None else parse_object(content)
        except ValueError as error:
            raise FetchError(f"{url}: no JSON object") from error
