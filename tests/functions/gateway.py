"""API Gateway in front of the handlers, as a WSGI application.

Requests become events of payload format 2.0.
(AWS: apigateway/latest/developerguide/http-api-develop-integrations-lambda)
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response

from tests.factories import event_file
from tests.functions.product import APIS

_TEXT = re.compile(r"text/|application/(json|javascript|xml)\b", re.IGNORECASE)
"""Other bodies are encoded in base64."""
_ROUTES = [
    (key.split(" ")[0], re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))), key)
    for api in APIS.values()
    for key in api.routes
    for path in [key.split(" ")[1]]
]
_NAMES = {key: name for name, api in APIS.items() for key in api.routes}


TOKEN = "Bearer verified"


@dataclass
class Gateway:
    """`claims` are what the authorizer finds in TOKEN.

    It lets everybody pass: without a token a request reaches its handler, without claims.
    """

    claims: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        path = str(request.environ["REQUEST_URI"]).partition("?")[0]
        for method, pattern, key in _ROUTES:
            found = pattern.fullmatch(path) if method == request.method else None
            if found:
                return _encode(APIS[_NAMES[key]](self._event(key, request, found), None))
        body = json.dumps({"message": "Not Found"})
        return Response(body, 404, content_type="application/json")

    def _event(self, key: str, request: Request, path: re.Match[str]) -> dict[str, Any]:
        event = event_file(_NAMES[key])
        context = event["requestContext"] | {"routeKey": key}
        context.pop("authorizer", None)
        if request.headers.get("authorization") == TOKEN:
            context["authorizer"] = {"jwt": {"claims": dict(self.claims), "scopes": None}}
        body, is_text = request.get_data(), _TEXT.match(request.headers.get("content-type", ""))
        return event | {
            "routeKey": key,
            "rawPath": path[0],
            "rawQueryString": request.query_string.decode(),
            "requestContext": context,
            "headers": {name.lower(): value for name, value in request.headers},
            "queryStringParameters": {
                name: ",".join(values) for name, values in request.args.lists()
            },
            "pathParameters": {name: unquote(value) for name, value in path.groupdict().items()},
            "body": body.decode(errors="replace") if is_text else base64.b64encode(body).decode(),
            "isBase64Encoded": not is_text,
        }


def _encode(answer: dict[str, Any]) -> Response:
    body = answer["body"]
    content = base64.b64decode(body) if answer["isBase64Encoded"] else body
    response = Response(content, answer["statusCode"])
    del response.headers["content-type"]
    response.headers.update(answer["headers"])
    return response
