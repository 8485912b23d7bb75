"""A real browser without a screen: the machine's Chromium, driven by Playwright."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, async_playwright

from tests.path.servers import LIMIT

_EXECUTABLE = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # which root does not get
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",  # every name is this machine
)
# The choice of many users, and the one that an attacker hopes for: cookies also for other sites' requests.
_PREFERENCES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}


@asynccontextmanager
async def chromium(profile: Path) -> AsyncGenerator[BrowserContext]:
    """Run Chromium.

    Args:
        profile: An empty folder for its user data.
    """
    (profile / "Default").mkdir()
    (profile / "Default" / "Preferences").write_text(json.dumps(_PREFERENCES))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch_persistent_context(
            profile, executable_path=_EXECUTABLE, args=_ARGUMENTS, timeout=2000 * LIMIT
        )
        browser.set_default_timeout(1000 * LIMIT)
        try:
            yield browser
        finally:
            await browser.close()
