"""What the user's language costs: a header seen before, a new one, the layer, and its import."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import langcodes
import werkzeug.datastructures
import werkzeug.http
from babel.core import negotiate_locale
from langcodes.data_dicts import LIKELY_SUBTAGS

import chatkit_prod
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.locale import LocaleMiddleware, Negotiator

from .measure import Request, batch, paired

HEADER = "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5"
_REGIONS = ("AT", "BE", "CA", "CH", "DE", "FR", "GB", "LU", "MX", "US")


def tags(number: int) -> list[str]:
    """Return that many tags, those of the header among them."""
    two_letters = sorted(tag for tag in LIKELY_SUBTAGS if len(tag) == 2)
    return ["en", "fr", "de", *(tag for tag in two_letters if tag not in ("en", "fr", "de"))][:number]


def peers(supported: Sequence[str]) -> dict[str, Callable[[str], object]]:
    """Return what chooses one of some tags, by name."""
    negotiator = Negotiator(supported)
    listed = list(supported)

    def by_langcodes(header: str) -> object:
        return langcodes.closest_supported_match(header.partition(",")[0], listed)

    def by_babel(header: str) -> object:
        return negotiate_locale([part.partition(";")[0].strip() for part in header.split(",")], listed, "-")

    def by_werkzeug(header: str) -> object:
        accepted = werkzeug.http.parse_accept_header(header, werkzeug.datastructures.LanguageAccept)
        return accepted.best_match(listed)

    return {
        "here": negotiator.negotiate,
        "langcodes, of the first range": by_langcodes,
        "Babel, without weights": by_babel,
        "werkzeug": by_werkzeug,
    }


def repeated(rounds: int) -> dict[str, float]:
    """Return the seconds that a header takes which was there before, of 200 tags, by who chooses."""
    return {
        name: min(_timed(partial(choose, HEADER), 200) for _ in range(rounds))
        for name, choose in peers(tags(200)).items()
    }


def new(rounds: int) -> dict[str, float]:
    """Return the seconds that a header takes which was never there, of 50 tags, by who chooses."""
    numbers = count(1000)

    def header() -> str:
        number = next(numbers)
        return (
            f"nl-{_REGIONS[number % 10]}, fr-{number % 900 + 100};q=0.{number % 1000:03}, en;q=0.8, *;q=0.5"
        )

    def measure(choose: Callable[[str], object]) -> float:
        headers = [header() for _ in range(200)]
        started = time.process_time()
        for value in headers:
            choose(value)
        return (time.process_time() - started) / len(headers)

    return {name: min(measure(choose) for _ in range(rounds)) for name, choose in peers(tags(50)).items()}


def _timed(call: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times


async def layer(rounds: int) -> float:
    """Return the seconds that the layer adds to a request."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"x-request-id", b"0" * 32)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def nothing() -> None: ...

    located: ASGIApp = LocaleMiddleware(app, supported=tags(50))
    request = Request(b"{}", {"accept-language": HEADER, "host": "localhost"})
    figures = await paired(
        {
            "without": batch(request, app, nothing, size=300),
            "with": batch(request, located, nothing, size=300),
        },
        rounds=rounds,
    )
    return statistics.median(
        slow - fast for slow, fast in zip(figures["with"], figures["without"], strict=True)
    )


_IMPORTS = """
import sys, time, types
import chatkit.server
package = types.ModuleType("chatkit_prod")  # without what else it would import
package.__path__ = [sys.argv[1]]
sys.modules["chatkit_prod"] = package
import chatkit_prod.context, chatkit_prod.layer, chatkit_prod.asgi, chatkit_prod.options, chatkit_prod.texts
started = time.perf_counter()
import langcodes
between = time.perf_counter()
import chatkit_prod.locale
print((time.perf_counter() - started) / (between - started))
"""


def import_ratio(rounds: int) -> float:
    """Return the time that `chatkit_prod.locale` takes to import over that of langcodes, which is in it.

    The core and chatkit are there before. Bytecode is kept, as after an install.
    """
    command = [sys.executable, "-c", _IMPORTS, str(Path(chatkit_prod.__file__).parent)]
    found: list[float] = []
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(rounds + 1):
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found.append(float(ran.stdout))
    return statistics.median(found[1:])


def table(repeat: dict[str, float], unseen: dict[str, float]) -> str:
    """Return the times as Markdown."""
    lines = [f"| {name} | {repeat[name] * 1e6:,.3g} | {unseen[name] * 1e6:,.3g} |" for name in repeat]
    head = "| who chooses | a repeated header of 200 tags, µs | a new header of 50 tags, µs |\n|---|---|---|"
    return "\n".join([head, *lines])
