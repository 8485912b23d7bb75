"""A real Chromium: pages that may use the session of their user, and pages that may not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Literal

import pytest
from playwright.async_api import BrowserContext, Page

from chatkit_prod.sse import SSEDecoder
from chatkit_prod.testing import chatkit_request, user_message
from tests.path.servers import LIMIT, serve, soon

from .desk import Defence, Desk, blank_page

pytestmark = pytest.mark.anyio

BODY = chatkit_request("threads.create", input=user_message("Hello")).decode()

SECURE_DESK = "chatkit.company.localhost"
"""Trustworthy to a browser, like any page with TLS: it says where requests to it come from."""
PLAIN_DESK = "chatkit.company.test"
"""A page without TLS: Chromium keeps `Sec-Fetch-Site` to itself."""

FOREIGN_PAGES = [
    pytest.param(SECURE_DESK, "evil.localhost", "cross-site", id="another site"),
    pytest.param(SECURE_DESK, "evil.test", "cross-site", id="another site, without TLS"),
    pytest.param(SECURE_DESK, "evil.company.localhost", "same-site", id="a neighbouring subdomain"),
    pytest.param(PLAIN_DESK, "evil.company.test", None, id="a neighbouring subdomain, both without TLS"),
]
"""The host of the desk, that of the page, and what Chromium says about the two."""

DEFENCES = pytest.mark.parametrize("defence", ["origin and session", "session alone"])

# Each is called with the URL and the body.
FETCH_JSON = """([url, body]) => fetch(url, {
    method: 'POST', credentials: 'include', body, headers: {'content-type': 'application/json'},
}).then(answer => answer.text(), error => error.name)"""
BLIND_FETCH = """([url, body]) => fetch(url, {
    method: 'POST', credentials: 'include', body, mode: 'no-cors', headers: {'content-type': 'application/json'},
}).then(answer => answer.text(), error => error.name)"""
BEACON = "([url, body]) => { navigator.sendBeacon(url, body) }"
FORM = """([url, body]) => {
    const form = document.createElement('form');
    const input = document.createElement('input');
    Object.assign(form, {action: url, method: 'post', enctype: 'text/plain'});
    // What is sent is name=value: the equals sign ends up in a member that nobody reads.
    Object.assign(input, {name: body.replace(/}$/, ', "x": "'), value: '"}'});
    form.append(input);
    document.body.append(form);
    form.submit();
}"""
SANDBOXED_FORM = """([url, body]) => {
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-forms allow-scripts';
    frame.srcdoc = `<form method=post enctype=text/plain action="${url}"><input name=a></form>
                    <script>document.forms[0].submit()</script>`;
    document.body.append(frame);
}"""

BLIND_ATTACKS = [
    pytest.param(BLIND_FETCH, id="fetch without CORS"),
    pytest.param(BEACON, id="beacon"),
    pytest.param(FORM, id="form"),
]
"""What a page may send anywhere without asking first."""

START_READING = """async ([url, body]) => {
    const answer = await fetch(url, {
        method: 'POST', credentials: 'include', body, headers: {'content-type': 'application/json'},
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('Hel')) text += (await reader.read()).value;
    window.readOn = async () => {
        for (let part; !(part = await reader.read()).done;) text += part.value;
        return text;
    };
    return answer.status;
}"""
READ_ON = "() => window.readOn()"


@pytest.fixture
async def page(browser: BrowserContext) -> AsyncGenerator[Page]:
    """A new tab of a browser that is not signed in anywhere."""
    await browser.clear_cookies()
    opened = await browser.new_page()
    yield opened
    await opened.close()


class Town:
    """A desk on one port, and the pages of everybody else on another one.

    Args:
        stack: Ends the server of the desk.
        page: The user's tab.
        pages_port: Of the pages.
    """

    desk: Desk
    url: str

    def __init__(self, stack: AsyncExitStack, page: Page, pages_port: int) -> None:
        self._stack = stack
        self._page = page
        self._pages_port = pages_port

    async def open(
        self, host: str, defence: Defence, *, allowed: str | None = None, path: str = "/chatkit"
    ) -> None:
        """Open the desk, and sign the user in.

        Args:
            host: The name that the desk goes by.
            defence: What stands in front of it.
            allowed: The host of a page on its list.
            path: Which of its routes `url` names.
        """
        origins = [] if allowed is None else [f"http://{allowed}:{self._pages_port}"]
        # The strongest cookie for an attacker that Chromium stores for the host.
        same_site: Literal["lax", "none"] = "none" if host == SECURE_DESK else "lax"
        self.desk = Desk(defence=defence, same_site=same_site, allowed_origins=origins)
        port = await self._stack.enter_async_context(serve(self.desk.app))
        self.url = f"http://{host}:{port}{path}"
        await self._page.goto(f"http://{host}:{port}/login")

    async def go(self, host: str) -> None:
        """Go to a page of somebody else."""
        await self._page.goto(f"http://{host}:{self._pages_port}/")

    async def run(self, script: str) -> object:
        """Run a script in the page that was gone to last, and return what it has come to."""
        return await asyncio.wait_for(self._page.evaluate(script, [self.url, BODY]), LIMIT)

    async def attack(self, script: str) -> object:
        """Run a script, and wait until the desk has answered something."""
        result = await self.run(script)
        await soon(self.desk.visited)
        return result


@pytest.fixture(scope="module")
async def pages_port() -> AsyncGenerator[int]:
    """A server of blank pages, under any name."""
    async with serve(blank_page) as port:
        yield port


@pytest.fixture
async def town(page: Page, pages_port: int) -> AsyncGenerator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(stack, page, pages_port)


@pytest.mark.parametrize(
    ("host", "visitor", "defence"),
    [
        pytest.param(SECURE_DESK, None, "origin and session", id="its own"),
        pytest.param(SECURE_DESK, None, "session alone", id="its own, without an OriginMiddleware"),
        pytest.param(PLAIN_DESK, None, "origin and session", id="its own, without TLS"),
        pytest.param(SECURE_DESK, "app.company.localhost", "origin and session", id="on the list"),
        pytest.param(
            SECURE_DESK, "app.partner.localhost", "origin and session", id="on the list, another site"
        ),
    ],
)
async def test_an_allowed_page_reads_a_stream_while_it_comes(
    town: Town, host: str, visitor: str | None, defence: Defence
) -> None:
    await town.open(host, defence, allowed=visitor)
    if visitor is not None:
        await town.go(visitor)

    status = await town.run(START_READING)
    await soon(town.desk.gate.reached)  # the page has read the first word, and the second has not been sent
    town.desk.gate.opened.set()
    text = await town.run(READ_ON)

    assert status == 200
    types = [event.json()["type"] for event in SSEDecoder().feed(str(text).encode())]
    assert types[0] == "thread.created"
    assert types[-1] == "thread.item.done"
    assert town.desk.started == 1


@pytest.mark.parametrize("attack", BLIND_ATTACKS)
@pytest.mark.parametrize(("host", "visitor", "site"), FOREIGN_PAGES)
async def test_a_foreign_page_fools_whoever_trusts_the_cookie_alone(
    town: Town, host: str, visitor: str, site: str | None, attack: str
) -> None:
    """The control of the tests below: each of these attacks arrives, and with the cookie."""
    await town.open(host, "session alone", path="/careless")
    await town.go(visitor)

    await town.attack(attack)

    assert town.desk.fooled == ["alice"]


@DEFENCES
@pytest.mark.parametrize("attack", BLIND_ATTACKS)
@pytest.mark.parametrize(("host", "visitor", "site"), FOREIGN_PAGES)
async def test_a_foreign_page_cannot_post_with_the_cookie_of_the_user(
    town: Town, host: str, visitor: str, site: str | None, attack: str, defence: Defence
) -> None:
    await town.open(host, defence)
    await town.go(visitor)

    await town.attack(attack)

    (visit,) = town.desk.visits
    assert visit.method == "POST"
    assert "session=" in visit.headers["cookie"]
    assert visit.headers.get("sec-fetch-site") == site
    assert visit.headers["origin"].startswith(f"http://{visitor}:")
    assert visit.status == 403
    assert town.desk.started == 0


@DEFENCES
@pytest.mark.parametrize(("host", "visitor", "site"), FOREIGN_PAGES)
async def test_a_foreign_page_that_asks_first_is_told_no(
    town: Town, host: str, visitor: str, site: str | None, defence: Defence
) -> None:
    await town.open(host, defence)
    await town.go(visitor)

    outcome = await town.attack(FETCH_JSON)

    assert outcome == "TypeError"
    (preflight,) = town.desk.visits  # so the browser did not send the request itself
    assert preflight.method == "OPTIONS"
    assert "cookie" not in preflight.headers
    assert "access-control-allow-origin" not in preflight.answer
    assert town.desk.started == 0


@DEFENCES
async def test_a_sandboxed_frame_cannot_post_with_the_cookie_of_the_user(
    town: Town, defence: Defence
) -> None:
    await town.open(SECURE_DESK, defence)
    await town.go("evil.localhost")

    await town.attack(SANDBOXED_FORM)

    (visit,) = town.desk.visits
    assert visit.headers["origin"] == "null"
    assert "session=" in visit.headers["cookie"]
    assert visit.status == 403
    assert town.desk.started == 0


async def test_a_neighbour_of_an_allowed_page_is_told_no(town: Town) -> None:
    await town.open(SECURE_DESK, "origin and session", allowed="app.company.localhost")
    await town.go("evil.company.localhost")

    assert await town.attack(FETCH_JSON) == "TypeError"
    assert town.desk.started == 0
