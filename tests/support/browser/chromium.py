"""How does a test open a page in Chromium, over the DevTools protocol, and see what a person would?"""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import aiohttp

__all__ = ["Tab", "chromium", "tab"]

_START_SECONDS, _POLL_SECONDS = 60.0, 0.05
_ANSWER_SECONDS = 30.0


@contextmanager
def chromium(folder: Path) -> Iterator[str]:
    """Run Chromium without a screen, and end it afterwards.

    Args:
        folder: an empty one, for its profile.

    Yields:
        the address of its DevTools.
    """
    port = folder / "DevToolsActivePort"
    process = subprocess.Popen(
        [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--no-proxy-server", "--remote-debugging-port=0",
            f"--user-data-dir={folder}", "about:blank",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(folder)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not (port.exists() and port.read_text().count("\n") >= 1):
            assert process.poll() is None, f"chromium ended, exit status {process.returncode}"
            assert time.monotonic() < deadline, "chromium has not started"
            time.sleep(_POLL_SECONDS)
        number, path = port.read_text().split("\n")[:2]
        yield f"ws://127.0.0.1:{number}{path}"
    finally:
        process.kill()
        process.wait()


class _Left(Exception):
    """The page that was asked has been left meanwhile."""


class Tab:
    """One page.

    Args:
        socket: to DevTools.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}

    async def begin(self, width: int, height: int, now: int | None) -> None:
        """Open an empty page of so many pixels, all of them its own, in New York.

        Args:
            width, height: pixels.
            now: what its clock always shows, ms; None for the present.
        """
        context = await self._call("Target.createBrowserContext", disposeOnDetach=True)
        target = await self._call(
            "Target.createTarget", url="about:blank", browserContextId=context["browserContextId"]
        )
        attached = await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        await self.resize(width, height)
        await self._call("Emulation.setScrollbarsHidden", hidden=True)
        await self._call("Emulation.setTimezoneOverride", timezoneId="America/New_York")
        if now is not None:
            await self._call("Page.enable")
            await self._call("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {now};")

    async def open(self, url: str) -> None:
        """Go to a page; what is there is waited for with ``value``."""
        failed = (await self._call("Page.navigate", url=url)).get("errorText")
        assert not failed, f"{url}: {failed}"

    async def value(self, expression: str, *, within: float = _ANSWER_SECONDS) -> Any:
        """Wait until an expression of JavaScript has a value that is not null, and return the value.

        Args:
            expression: what is looked at again and again.
            within: seconds.
        """
        script = f"""new Promise((done) => {{
            const look = () => {{
                const value = ({expression}) ?? null;
                if (value === null) setTimeout(look, 20);
                else done(value);
            }};
            look();
        }})"""
        while True:
            with suppress(_Left):  # the page that comes next is asked
                asked: dict[str, Any] = {"expression": script, "awaitPromise": True, "returnByValue": True}
                told = await self._call("Runtime.evaluate", within=within, **asked)
                break
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def run(self, script: str) -> None:
        """Run a script in the page."""
        told = await self._call("Runtime.evaluate", expression=script)
        assert "exceptionDetails" not in told, told["exceptionDetails"]

    async def allow_scripts(self) -> None:
        """Let scripts of the test run in pages that are opened from now on, whatever the pages' policy says."""
        await self._call("Page.enable")
        await self._call("Page.setBypassCSP", enabled=True)

    async def go_offline(self) -> None:
        """Let no request of the page reach anybody from now on."""
        await self._call("Network.enable")
        nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        await self._call("Network.emulateNetworkConditions", offline=True, **nothing)

    async def prefers(self, **features: str) -> None:
        """Let the page see what its reader prefers: ``color_scheme="dark"``, ``reduced_motion="reduce"``."""
        told = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()
        ]
        await self._call("Emulation.setEmulatedMedia", features=told)

    async def press(self, key: str, code: int) -> None:
        """Press a key and let it go: ``press("Tab", 9)``."""
        event: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text: dict[str, Any] = {"text": "\r"} if key == "Enter" else {}
        await self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event, **text)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def resize(self, width: int, height: int) -> None:
        """Give the page so many pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._call("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self, *, format: Literal["png", "webp"] = "png") -> bytes:
        """Return what is seen of the page."""
        quality = {} if format == "png" else {"quality": 80}
        shot = await self._call("Page.captureScreenshot", format=format, **quality)
        return base64.b64decode(shot["data"])

    async def _call(self, method: str, *, within: float = _ANSWER_SECONDS, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params} | self._session)
        while True:
            told = await self._socket.receive_json(timeout=within)
            if told.get("id") == number:
                if "navigated" in told.get("error", {}).get("message", ""):
                    raise _Left
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result


@asynccontextmanager
async def tab(
    devtools: str, width: int = 760, height: int = 700, *, now: int | None = None
) -> AsyncIterator[Tab]:
    """An empty page in a Chromium that runs; it shares no cookies and no cache with others.

    Args:
        devtools: the address of its DevTools.
        width, height: of the page, pixels.
        now: what the page's clock always shows, ms; None for the present.
    """
    async with aiohttp.ClientSession() as session, session.ws_connect(devtools, max_msg_size=0) as socket:
        page = Tab(socket)
        await page.begin(width, height, now)
        yield page
