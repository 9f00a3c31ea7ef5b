"""A page of a browser, used as a person uses it: opened, looked at, clicked, typed in.

It speaks the DevTools protocol over aiohttp's WebSocket. That is all these tests need of a
browser, and a driver package would bring a second Node or thirty times as much code.
"""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from aiohttp import ClientWebSocketResponse

_REPLY_S = 30.0
_SEEN_MS = 15_000
# Whether nothing moves any more; what moves without end is no movement to wait for.
_STILL = """document.getAnimations().every((animation) =>
  animation.playState !== "running" || animation.effect.getComputedTiming().endTime === Infinity
)"""
# Where an element can be hit: its middle, once it stays there and nothing else lies over it.
_MIDDLE = """(() => {
  const element = document.querySelector(%s);
  if (!element || !(%s)) return null;
  element.scrollIntoView({ block: "center" });
  const box = element.getBoundingClientRect();
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const hit = document.elementFromPoint(middle.x, middle.y);
  return hit && (element.contains(hit) || hit.contains(element)) ? middle : null;
})()"""
_AWAITED = """new Promise((resolve, reject) => {
  const end = Date.now() + %d;
  const look = () => {
    const seen = %s;
    if (seen) resolve(seen);
    else if (Date.now() > end) reject(new Error("never seen"));
    else setTimeout(look, 20);
  };
  look();
})"""


class Page:
    """One page. Its events are those that had arrived by the last command."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sent = 0
        self.events: list[dict[str, Any]] = []

    async def command(self, method: str, **params: Any) -> Any:
        """Send a command of the DevTools protocol and return its result.

        Raises:
            AssertionError: the browser refuses it.

        """
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=_REPLY_S)
            if message.get("id") == self._sent:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    async def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression, or the promise that it is, comes to.

        Raises:
            AssertionError: it throws; the message has what the page logged.

        """
        done = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, f"{done}\nthe page said: {self.complaints()}"
        return done["result"].get("value")

    async def seen(self, expression: str) -> Any:
        """Wait until the expression is true and return its value."""
        return await self.evaluate(_AWAITED % (_SEEN_MS, expression))

    async def text(self, selector: str) -> str:
        """Wait until the element shows some text and return it."""
        found = f"document.querySelector({json.dumps(selector)})?.innerText?.trim()"
        return str(await self.seen(found))

    async def open(self, url: str) -> None:
        """Go to the URL and wait until it is loaded."""
        await self.command("Page.navigate", url=url)
        await self.seen('document.readyState === "complete"')

    async def click(self, selector: str) -> None:
        """Press the mouse's button in the middle of the element, once it can be hit."""
        middle = await self.seen(_MIDDLE % (json.dumps(selector), _STILL))
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle
            )

    async def type(self, selector: str, text: str) -> None:
        """Click into the field and type."""
        await self.click(selector)
        await self.command("Input.insertText", text=text)

    async def screenshot(self, path: Path) -> None:
        """Keep what the page shows, once nothing moves, as a PNG."""
        await self.seen(_STILL)
        shown = await self.command("Page.captureScreenshot", format="png")
        png = base64.b64decode(shown["data"])
        await asyncio.to_thread(path.write_bytes, png)

    def requests(self, url: str) -> list[dict[str, Any]]:
        """Return the requests sent to URLs that begin with `url`: `method`, `url`, `headers`."""
        sent = (
            event["params"]["request"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        )
        return [request for request in sent if request["url"].startswith(url)]

    def complaints(self) -> list[str]:
        """Return the errors that the page's scripts and the browser reported."""
        logged = (
            event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"
        )
        thrown = (
            event["params"]["exceptionDetails"]
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
        )
        return [
            *(entry["text"] for entry in logged if _is_error(entry)),
            *(details.get("exception", details).get("description", "") for details in thrown),
        ]


def _is_error(entry: dict[str, Any]) -> bool:
    """Tell whether a log entry is an error; that the internet is not there is none."""
    return entry["level"] == "error" and "ERR_NAME_NOT_RESOLVED" not in entry["text"]
