"""The sandbox over HTTP: Stripe's API, the hosted pages, the orders."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from infra.local.guard import Guard
from infra.local.stripe_sandbox import api, hosting, orders, pages
from infra.local.stripe_sandbox.errors import InvalidRequest, StripeError
from infra.local.stripe_sandbox.hosting import Redirect, Shown
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.state import Body
from infra.local.stripe_sandbox.world import BASE

Endpoint = Callable[[Request], Awaitable[Response]]
POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'"


class DroppingProtocol(H11Protocol):
    """Lets a request's handler drop its connection, for faults."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = self.app_state | {"transport": transport}


def create_app(sandbox: Sandbox) -> Starlette:
    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        sandbox.start()
        yield
        await run_in_threadpool(sandbox.stop)

    return Starlette(
        routes=[*_stripe(sandbox), *_orders(sandbox), *_pages(sandbox)],
        lifespan=running,
        middleware=[Middleware(Guard)],
        exception_handlers={StripeError: _refusal},  # type: ignore[dict-item]
    )


async def _refusal(_: Request, error: StripeError) -> Response:
    return JSONResponse(error.body, error.status)


def _stripe(sandbox: Sandbox) -> list[Route]:
    async def call(request: Request) -> Response:
        in_body = request.method == "POST"
        form = (await request.body()).decode(errors="replace") if in_body else request.url.query
        asked = api.Request(request.method, request.url.path, form, request.headers)
        try:
            answer = await run_in_threadpool(api.answer, sandbox, asked)
        except api.ConnectionDropped:
            request.state.transport.abort()
            await request.receive()
            return Response(status_code=500)
        return Response(answer.body, answer.status, answer.headers, "application/json")

    return [Route("/v1/{path:path}", call, methods=["GET", "POST", "DELETE"])]


def _orders(sandbox: Sandbox) -> list[Route]:
    def route(path: str, method: str, do: Callable[[Request, Body], Body]) -> Route:
        async def endpoint(request: Request) -> Response:
            order = await _json(request) if method == "POST" else {}
            text = json.dumps(await run_in_threadpool(do, request, order))
            return Response(text.replace(BASE, sandbox.base), media_type="application/json")

        return Route(f"/sandbox{path}", endpoint, methods=[method])

    def named(request: Request, name: str) -> str:
        return str(request.path_params[name])

    return [
        route("/health", "GET", lambda *_: {"status": "ok"}),
        route("/clock", "GET", lambda *_: orders.read_clock(sandbox)),
        route("/clock", "POST", lambda _, order: orders.move_clock(sandbox, order)),
        route(
            "/snapshots/{name}",
            "POST",
            lambda r, _: orders.keep_snapshot(sandbox, named(r, "name")),
        ),
        route(
            "/snapshots/{name}/restore",
            "POST",
            lambda r, _: orders.restore_snapshot(sandbox, named(r, "name")),
        ),
        route(
            "/checkout/{session}/pay",
            "POST",
            lambda r, order: orders.pay_checkout(sandbox, named(r, "session"), order),
        ),
        route("/deliveries", "GET", lambda r, _: orders.read_deliveries(sandbox, r.query_params)),
        route("/deliveries", "POST", lambda _, order: orders.choose_deliveries(sandbox, order)),
        route(
            "/deliveries/{event}/resend",
            "POST",
            lambda r, _: orders.resend(sandbox, named(r, "event")),
        ),
        route(
            "/payments/{intent}/settle",
            "POST",
            lambda r, order: orders.settle_payment(sandbox, named(r, "intent"), order),
        ),
        route(
            "/payments/{intent}/refund",
            "POST",
            lambda r, order: orders.refund_payment(sandbox, named(r, "intent"), order),
        ),
        route(
            "/payments/{intent}/fail-refund",
            "POST",
            lambda r, order: orders.fail_refund(sandbox, named(r, "intent"), order),
        ),
        route(
            "/payments/{intent}/dispute",
            "POST",
            lambda r, order: orders.dispute_payment(sandbox, named(r, "intent"), order),
        ),
        route("/faults", "GET", lambda *_: {"next": sandbox.faults.left()}),
        route("/faults", "POST", lambda _, order: orders.order_faults(sandbox, order)),
    ]


def _pages(sandbox: Sandbox) -> list[Route]:
    def shown(path: str, show: Callable[[str, Mapping[str, str]], Shown]) -> Route:
        async def endpoint(request: Request) -> Response:
            id = request.path_params.get("id", "")
            return _page(await run_in_threadpool(show, id, request.query_params))

        return Route(path, _guarded(endpoint), methods=["GET"])

    def posted(path: str, act: Callable[[str, Mapping[str, str]], Shown]) -> Route:
        async def endpoint(request: Request) -> Response:
            text = (await request.body()).decode(errors="replace")
            form = dict(parse_qsl(text, keep_blank_values=True))
            return _page(await run_in_threadpool(act, request.path_params.get("id", ""), form))

        return Route(path, _guarded(endpoint), methods=["POST"])

    async def pdf(request: Request) -> Response:
        id = str(request.path_params["id"])
        name, content = await run_in_threadpool(hosting.invoice_pdf, sandbox, id)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, headers=headers, media_type="application/pdf")

    async def style(_: Request) -> Response:
        return FileResponse(pages.TEMPLATES / "style.css")

    return [
        shown("/", lambda *_: hosting.dashboard(sandbox)),
        posted("/clock", lambda _, form: hosting.move_clock(sandbox, form)),
        shown("/c/pay/{id}", lambda id, query: hosting.show_checkout(sandbox, id, query)),
        posted("/c/pay/{id}", lambda id, form: hosting.pay_checkout(sandbox, id, form)),
        shown("/bank/{id}", lambda id, _: hosting.show_bank(sandbox, id)),
        posted("/bank/{id}", lambda id, form: hosting.answer_bank(sandbox, id, form)),
        shown("/i/{id}", lambda id, query: hosting.show_invoice(sandbox, id, query)),
        posted("/i/{id}", lambda id, form: hosting.pay_invoice(sandbox, id, form)),
        Route("/i/{id}/pdf", _guarded(pdf), methods=["GET"]),
        Route("/style.css", style, methods=["GET"]),
    ]


def _page(shown: Shown) -> Response:
    if isinstance(shown, Redirect):
        return RedirectResponse(shown.url, 303)
    return HTMLResponse(shown.html, shown.status, {"Content-Security-Policy": POLICY})


def _guarded(endpoint: Endpoint) -> Endpoint:
    """What is refused on a page is told as a page."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StripeError as error:
            html = pages.render("message.html", title="Not possible", text=str(error))
            return _page(hosting.Page(html, error.status))

    return guarded


async def _json(request: Request) -> Body:
    text = await request.body()
    try:
        order = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidRequest(f"The order is not JSON: {error}.") from error
    if not isinstance(order, dict):
        raise InvalidRequest("An order is a JSON object.")
    return order
