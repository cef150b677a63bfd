"""The page, its assets, and the OpenAPI document."""

import hashlib
import mimetypes
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from billing import settings
from billing.domain.errors import NotFound
from billing.http import Api, Request, Response, Who

api = Api()

_FOLDER = Path(__file__).parent / "portal"
_FILES = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.is_file()}
_TAGS = {name: f'"{hashlib.sha256(content).hexdigest()[:16]}"' for name, content in _FILES.items()}
_ISSUER = settings.oidc_issuer()
_PROVIDER = "{0.scheme}://{0.netloc} {1}".format(urlsplit(_ISSUER), settings.oidc_origins())
_PLACEHOLDERS = {
    "{{oidc_issuer}}": _ISSUER,
    "{{oidc_client_id}}": settings.oidc_client_id(),
    "{{oidc_scope}}": settings.oidc_scope(),
    "{{api_audience}}": settings.jwt_audience(),
    "{{product_name}}": settings.product_name(),
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        f"connect-src 'self' {_PROVIDER}".rstrip(),
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_CACHED = {"If-None-Match": "the ETag of an earlier answer; 304 while it is the same"}
_SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
}


@api.route("GET /", Who.ANYONE, media=("text/html",), head=True)
def get_page(request: Request) -> Response:
    """The page; it signs in with the provider and holds no secret"""
    page = _FILES["index.html"].decode()
    for placeholder, value in _PLACEHOLDERS.items():
        page = page.replace(placeholder, escape(value))
    headers = {
        **_SAFE,
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _POLICY,
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
    }
    return Response(200, page, headers)


@api.route("GET /assets/{file}", Who.ANYONE, headers=_CACHED, media=("*/*",), head=True)
def get_asset(request: Request) -> Response:
    """A script, style or picture of the page, also for host pages that embed the tab"""
    name = request.path("file")
    if name not in _FILES or name in ("index.html", "openapi.json"):
        raise NotFound("no_such_asset", "There is no such file.")
    return _file(request, name)


@api.route("GET /openapi.json", Who.ANYONE, headers=_CACHED, media=("application/json",), head=True)
def get_openapi(request: Request) -> Response:
    """This document"""
    return _file(request, "openapi.json")


def _file(request: Request, name: str) -> Response:
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    headers = {
        **_SAFE,
        "etag": _TAGS[name],
        "cache-control": "public, max-age=300, stale-while-revalidate=86400",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    if request.header("if-none-match") == _TAGS[name]:
        return Response(304, "", headers)
    headers["content-type"] = f"{kind or 'application/octet-stream'}; charset=utf-8"
    content = _FILES[name]
    try:
        return Response(200, content.decode(), headers)
    except UnicodeDecodeError:
        return Response(200, content, {**headers, "content-type": kind or "image/png"})
