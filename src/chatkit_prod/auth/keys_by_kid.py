"""The keys of AWS's load balancers, each under a URL of its own, in PEM."""

import logging
import math
import re
from collections import deque
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx2
from joserfc.jwk import ECKey

from chatkit_prod.errors import ConfigurationError, UnavailableError
from chatkit_prod.options import seconds

from .fetch import FetchError, fetch
from .keys import Keys
from .single_flight import SingleFlight
from .urls import is_safe_url, shown

logger = logging.getLogger("chatkit_prod")

PLACE = "{kid}"

_KID = re.compile(r"[A-Za-z0-9-]{1,64}")
_MAX_KEYS = 20
_MAX_FETCHES = 3  # per cooldown: the keys of several load balancers are met at once


class KeysByKid:
    """Fetches a key when the first token names it, and keeps it.

    That there is none is remembered for a while. Still, whoever may name keys can use up the fetches:
    let nobody do so who does not come from the load balancer.

    Args:
        url: Where, with `/{kid}` at the end of its path: `https`, or on this machine.
        cooldown: Seconds in which at most three keys are fetched, however many are named.
        timeout: Seconds for one fetch.
        client: With which to fetch; a new one each time if None.

    Raises:
        ConfigurationError: The URL cannot be used, or the seconds are not positive.
    """

    def __init__(
        self,
        url: str,
        *,
        cooldown: float = 10.0,
        timeout: float = 5.0,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        if url.count(PLACE) != 1 or not is_safe_url(url.replace(PLACE, "kid")):
            raise ConfigurationError(f"a URL of keys is https, and has one {PLACE}, not {shown(url)}")
        if not urlsplit(url).path.endswith(f"/{PLACE}"):
            raise ConfigurationError(f"the path of a URL of keys ends with /{PLACE}, not {shown(url)}")
        self._url = url
        self._cooldown = seconds(cooldown, "cooldown")
        self._timeout = seconds(timeout, "timeout")
        self._client = client
        self._documents: list[dict[str, Any]] = []
        self._keys = Keys({"keys": []})
        self._fetched_at = deque[float](maxlen=_MAX_FETCHES)
        self._absent_until = dict[str, float]()
        self._fetches = SingleFlight[str, None]()

    def current(self) -> Keys:
        """Return the keys that have been named so far."""
        return self._keys

    async def load(self) -> Keys:
        """Return the same: there is none before a token names it."""
        return self._keys

    async def newer(self, _known: Keys, kid: str | None, /) -> Keys:
        """Return the keys with the one that a token names, if there is such a key.

        Args:
            kid: Which key it names, untrusted.

        Raises:
            UnavailableError: There is no answer, or it is not time to ask, so that nobody can tell.
        """
        if kid is None or not _KID.fullmatch(kid) or kid in self._keys:
            return self._keys
        if not self._fetches.is_running(kid):
            now = monotonic()
            if self._absent_until.get(kid, now) > now:
                return self._keys
            if len(self._fetched_at) == _MAX_FETCHES and now < self._fetched_at[0] + self._cooldown:
                raise self._unavailable()
            self._fetched_at.append(now)
        await self._fetches.join(kid, partial(self._fetch, kid))
        return self._keys

    def _unavailable(self) -> UnavailableError:
        return UnavailableError("keys", retry_after=math.ceil(self._cooldown))

    async def _fetch(self, kid: str) -> None:
        url = self._url.replace(PLACE, kid)
        try:
            pem = await fetch(url, timeout_seconds=self._timeout, client=self._client)
        except FetchError as error:
            logger.error("key %s could not be fetched: %s", kid, error)
            raise self._unavailable() from None
        document = None if pem is None else _document(pem, kid)
        if document is not None and kid in Keys({"keys": [document]}):
            self._documents = [*self._documents, document][-_MAX_KEYS:]
            self._keys = Keys({"keys": self._documents})
        else:
            now = monotonic()
            known = {name: until for name, until in self._absent_until.items() if until > now}
            self._absent_until = {**known, kid: now + self._cooldown}


def _document(pem: bytes, kid: str) -> dict[str, Any] | None:
    """Return a key as a JWK, or None if it is none."""
    try:
        return {**ECKey.import_key(pem).as_dict(private=False), "kid": kid}
    except Exception as error:  # noqa: BLE001 - what is no key may be odd in ways that raise
        logger.error("key %s is none: %s", kid, type(error).__name__)
        return None
