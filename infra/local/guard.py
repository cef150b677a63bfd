"""Who may speak to a server on loopback: nobody by another name, no page of another site.

Any page in a browser on this machine can send requests here. By DNS rebinding it can even read the
answers, under a name of its own; so only the names of loopback are answered. Programs such as curl
and Stripe's client name no origin.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAMES = ("127.0.0.1", "localhost")
_READING = ("GET", "HEAD", "OPTIONS")
_OWN_SITE = ("same-origin", "none")


class Guard:
    """Answers 403 instead of `app`. Pages of the `trusted` origins may send what they like."""

    def __init__(self, app: App, trusted: tuple[str, ...] = ()) -> None:
        self.app = app
        self.trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            reason = foreign_name(scope) or self._foreign_order(scope)
            if reason:
                return await refuse(send, reason)
        return await self.app(scope, receive, send)

    def _foreign_order(self, scope: Scope) -> str:
        """Why a request that may change something is refused; empty if it is not."""
        origin, site = header(scope, "origin"), header(scope, "sec-fetch-site")
        if scope["method"] in _READING or origin in self.trusted:
            return ""
        own = f"http://{header(scope, 'host')}"
        same = site in _OWN_SITE if site else origin in ("", own)
        return "" if same else f"A page of {origin or 'another site'} gives no orders here."


def foreign_name(scope: Scope) -> str:
    """Why a request under the name that it uses is refused; empty if it is not."""
    host = header(scope, "host")
    name, _, port = host.lower().partition(":")
    if name in _NAMES and (port == "" or port.isdigit()):
        return ""
    return f"This server answers as 127.0.0.1 or localhost, not as {host or 'nobody'}."


def from_a_page(scope: Scope) -> str:
    """Why a request that a page in a browser makes is refused; empty if it is none, or a visit."""
    if header(scope, "origin"):
        return "AWS is not for pages in a browser."
    visits = scope["method"] == "GET" and header(scope, "sec-fetch-mode") == "navigate"
    site = header(scope, "sec-fetch-site")
    return "" if not site or visits else "AWS is not for pages in a browser."


def header(scope: Scope, name: str) -> str:
    """Of several, the last; an empty one counts as none."""
    found = [value for key, value in scope["headers"] if key.lower() == name.encode()]
    return str(found[-1].decode("latin-1")) if found else ""


async def refuse(send: Send, reason: str) -> None:
    kind = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": kind})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
