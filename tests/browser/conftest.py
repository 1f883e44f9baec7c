"""Chromium, driven by Playwright, and a canary that hears whoever tries to reach another host.

Its asynchronous half runs on the loop of the session, which runs only while a test of this directory does, so that
other tests find no running loop.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright

from mockmail import MockMail

ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MILLISECONDS = 20_000
"""How long an element may take to appear; on a loaded machine all is slow."""


class Canary:
    """A port that all names below ``test`` lead to. What it hears, nobody should have said."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, name="canary")
        self._thread.start()

    def _listen(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client:
                client.settimeout(5)
                try:
                    first = client.recv(4096)
                except OSError:
                    first = b"connected, and said nothing"
            if first == b"stop":
                return
            self.heard.append(first or b"connected, and said nothing")

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(b"stop")
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="session")
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


def missing(what: str) -> None:
    """As the programs of the interop tests: their absence fails where CI could have installed them."""
    if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(canary: Canary) -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    # Chromium's own services are not asked for by any page: their names lead nowhere.
    rules = f"--host-resolver-rules=MAP *.test 127.0.0.1:{canary.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, rules])
        yield browser
        await browser.close()


@pytest.fixture
def mail() -> Iterator[MockMail]:
    with MockMail(http_port=0, timeout=20) as mail:
        yield mail


class Watch:
    """What a context does that it should not: dialogs, windows, errors of scripts, addresses elsewhere."""

    def __init__(self, context: BrowserContext, url: str, canary: Canary) -> None:
        self.seen: list[str] = []
        self._canary = canary
        self._heard = len(canary.heard)
        self._url = url
        context.on("dialog", self._dialog)
        context.on("page", self._page)

    async def _dialog(self, dialog: Any) -> None:
        self.seen.append(f"dialog {dialog.message}")
        with contextlib.suppress(Error):  # its page may have gone meanwhile
            await dialog.dismiss()

    def _page(self, page: Page) -> None:
        page.on("framenavigated", self._navigated)
        page.on("pageerror", lambda error: self.seen.append(f"error {error}"))

    def _navigated(self, frame: Any) -> None:
        if not frame.url.startswith((self._url, "about:")):
            self.seen.append(f"went to {frame.url}")

    @property
    def all(self) -> list[str]:
        return self.seen + [f"asked elsewhere: {told[:80]!r}" for told in self._canary.heard[self._heard :]]


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, mail: MockMail) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, base_url=mail.http.url, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def watch(context: BrowserContext, mail: MockMail, canary: Canary) -> Watch:
    # On the loop: asked to listen, Playwright looks for one, and asyncio.run in a test before has left none.
    return Watch(context, mail.http.url, canary)


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, watch: Watch) -> Page:
    return await context.new_page()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm, fetched once a run."""
    npm = shutil.which("npm")
    if npm is None:
        missing("npm")
    home = tmp_path_factory.mktemp("axe")
    install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", "axe-core@4"]
    subprocess.run(install, check=True, timeout=120, capture_output=True)
    return (Path(home) / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
