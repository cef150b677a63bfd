"""From an HTTP API event to a Request, and from a result or an error to the answer.

The only place that knows statuses. A route declares who may call it and what it takes and gives;
the same declaration makes the OpenAPI document.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from aws_lambda_powertools import Logger

from billing.adapters.alerts import UNEXPECTED_ERROR, count
from billing.domain.account import Role, well_formed_id
from billing.domain.errors import (
    BillingError,
    Busy,
    Conflict,
    FieldError,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PaymentNeeded,
    RuleRefused,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedContent,
)
from billing.domain.people import Claims, claims_of
from billing.domain.times import FIRST_TIME, LAST_TIME, read_bound

MAX_BODY_BYTES = 64 * 1024
OPERATORS_SCOPE = "billing.support"

STATUSES: dict[type[BillingError], int] = {
    InvalidInput: 400,
    NotSignedIn: 401,
    PaymentNeeded: 402,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedContent: 415,
    RuleRefused: 422,
    TooMany: 429,
    Unavailable: 503,
}

logger = Logger()

_LIMIT = re.compile("[1-9][0-9]?|100", re.ASCII)
_TIME = f"2027-01-31T00:00:00Z, between the years {FIRST_TIME.year} and {LAST_TIME.year}"


class Who(StrEnum):
    """Who may call a route."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    MANAGER = "manager"
    MEMBER = "member"
    OPERATOR = "operator"
    STRIPE = "Stripe"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the verified token names. Nothing of this ever comes from the request itself."""

    account: str
    subject: str
    email: str
    name: str
    role: str
    email_verified: bool = False

    def claims(self) -> Claims:
        """What the token says of the person, of a role that was admitted."""
        return claims_of(
            self.subject, Role(self.role), self.email, self.name, verified=self.email_verified
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """One of the operator's support or sales people, and the account for which they act."""

    account: str
    subject: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer other than the route's usual JSON."""

    status: int
    body: str | bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    event: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.event["requestContext"]["requestId"])

    @property
    def route(self) -> str:
        return str(self.event["routeKey"])

    @property
    def origin(self) -> str:
        """This API's own address as the caller knows it, for example `https://api.example.com`.

        API Gateway answers only for its own names, so it is not the caller's invention.
        """
        return f"https://{self.event['requestContext']['domainName']}"

    def header(self, name: str) -> str:
        return str(self.event.get("headers", {}).get(name, ""))

    def query(self, name: str) -> str | None:
        value = (self.event.get("queryStringParameters") or {}).get(name)
        return None if value is None else str(value)

    def path(self, name: str) -> str:
        return str(self.event["pathParameters"][name])

    def limit(self) -> int:
        """How many a page of a list may hold. Raises InvalidInput."""
        text = self.query("limit")
        if text is None:
            return 20
        if _LIMIT.fullmatch(text) is None:
            raise invalid_query("limit", "must be a whole number from 1 to 100")
        return int(text)

    def cursor(self, form: re.Pattern[str]) -> str | None:
        """Where the page begins, as `next_cursor` told it. Raises InvalidInput unless of `form`."""
        cursor = self.query("cursor")
        if cursor is not None and not form.fullmatch(cursor):
            raise invalid_query("cursor", "must be a next_cursor of this list")
        return cursor

    def one_of(self, name: str, choices: Sequence[str]) -> str | None:
        """Raises InvalidInput."""
        value = self.query(name)
        if value is not None and value not in choices:
            raise invalid_query(name, f"must be one of: {', '.join(choices)}")
        return value

    def moment(self, name: str) -> datetime | None:
        """Return a time that entries are compared with, to the second. Raises InvalidInput."""
        text = self.query(name)
        if text is None:
            return None
        try:
            return read_bound(text)
        except ValueError as error:
            raise invalid_query(name, f"must be a time such as {_TIME}") from error

    def period(self) -> tuple[datetime | None, datetime | None]:
        """Return `from` and `to`. Raises InvalidInput, also where `from` is later than `to`."""
        since, until = self.moment("from"), self.moment("to")
        if since is not None and until is not None and since > until:
            raise invalid_query("from", "must not be later than `to`")
        return since, until

    def body_bytes(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The body as it was sent. Raises TooLarge, InvalidInput."""
        text = self.event.get("body") or ""
        if len(text) > 2 * limit:
            raise _too_large(limit)
        try:
            raw = base64.b64decode(text) if self.event.get("isBase64Encoded") else text.encode()
        except ValueError as error:
            raise InvalidInput("malformed_body", "The body is not readable.") from error
        if len(raw) > limit:
            raise _too_large(limit)
        return raw

    def json(self) -> Any:
        """The body's JSON; `{}` where there is no body.

        Raises TooLarge, UnsupportedContent, InvalidInput `malformed_json`.
        """
        if not self.event.get("body"):
            return {}
        if self.header("content-type").split(";")[0].strip().lower() != "application/json":
            raise UnsupportedContent(
                "unsupported_content_type", "Send the body as application/json."
            )
        try:
            return json.loads(self.body_bytes(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidInput("malformed_json", "The body is not valid JSON.") from error

    def _claims(self) -> Mapping[str, Any]:
        """The verified token's. Raises NotSignedIn."""
        context = self.event["requestContext"]
        claims: Mapping[str, Any] | None = (
            (context.get("authorizer") or {}).get("jwt", {}).get("claims")
        )
        if not claims or not claims.get("sub"):
            raise NotSignedIn("not_signed_in", "Sign in first.")
        return claims

    def caller(self) -> Caller:
        """Raises NotSignedIn without verified claims, NotAllowed for claims without an account."""
        claims = self._claims()
        account, subject = str(claims.get("account_id") or ""), str(claims["sub"])
        if not well_formed_id(account) or not well_formed_id(subject):
            raise NotAllowed("no_account", "This sign-in belongs to no account.")
        return Caller(
            account=account,
            subject=subject,
            email=str(claims.get("email", "")),
            name=str(claims.get("name", "")),
            role=str(claims.get("role", "")),
            # The gateway hands truth values over as text.
            email_verified=str(claims.get("email_verified")).lower() == "true",
        )

    def operator(self) -> Operator:
        """Who acts for the account that the path names. Their token's own account, if it has one,
        means nothing.

        Raises NotSignedIn, NotAllowed `operator_only`, NotFound `account_not_found`.
        """
        claims = self._claims()
        subject, account = str(claims["sub"]), self.path("account_id")
        scopes = str(claims.get("scope", "")).split()
        if OPERATORS_SCOPE not in scopes or not well_formed_id(subject):
            raise NotAllowed("operator_only", "Only the operator's support and sales do this.")
        if not well_formed_id(account):
            raise NotFound("account_not_found", "There is no such account.")
        return Operator(account, subject)

    def idempotency_key(self) -> str:
        """Raises InvalidInput `idempotency_key_required`, `idempotency_key_malformed`."""
        key = self.header("idempotency-key")
        if not key:
            raise InvalidInput(
                "idempotency_key_required", "Send an Idempotency-Key header with this request."
            )
        if len(key) > 255 or not key.isprintable():
            raise InvalidInput(
                "idempotency_key_malformed",
                "An Idempotency-Key has 1 to 255 printable characters.",
            )
        return key

    def command_id(self) -> str:
        """Names what is asked for, the same each time it is asked with the same key."""
        return self._command_of(self.caller().account)

    def operators_command_id(self) -> str:
        """Of an operator, for the account that the path names."""
        return self._command_of(self.operator().account)

    def _command_of(self, account: str) -> str:
        parts = (account, self.route, self.idempotency_key())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]

    def fingerprint(self, about: str | None = None) -> str:
        """The same where the same person asks the same: the body says what, or `about`."""
        asked = self.json() if about is None else about
        said = [str(self._claims()["sub"]), asked]
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One route as declared: `takes` and `gives` are the types of body and answer.

    `query` and `headers` describe what else it reads, `choices` are the values of a query
    parameter, `media` the answer's types other than JSON.
    """

    key: str
    who: Who
    handler: Handler
    takes: Any = None
    gives: Any = None
    status: int = 200
    idempotent: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    media: Sequence[str] = ()
    summary: str = ""


class Api:
    """The routes of one function; calling it is the Lambda handler."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}

    def route(
        self, key: str, who: Who, *, head: bool = False, **declared: Any
    ) -> Callable[[Handler], Handler]:
        """Declares the decorated function as the handler of `key`, such as `GET /billing`.

        It is called with the Request and, where the route `takes` a body, with that; what it
        returns is the answer's JSON, or a Response. With `head` it handles HEAD as well.
        """

        def register(handler: Handler) -> Handler:
            summary = (handler.__doc__ or key).strip().splitlines()[0]
            for each in (key, key.replace("GET ", "HEAD ")) if head else (key,):
                self.routes[each] = Route(each, who, handler, summary=summary, **declared)
            return handler

        return register

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        request = Request(event)
        try:
            answer = self._answer(request)
        except BillingError as error:
            answer = problem(error)
        except Exception:
            # The edge: whatever it is, the caller gets a problem document and we get the trace.
            logger.exception("unexpected", extra={"request": request.id, "route": request.route})
            # Lambda's own count of errors stays at 0 where a function answers.
            count(UNEXPECTED_ERROR, getattr(context, "function_name", ""))
            answer = _unexpected()
        logger.info(
            "request",
            extra={"request": request.id, "route": request.route, "status": answer.status},
        )
        if request.route.startswith("HEAD "):
            answer = replace(answer, body="")
        return _encode(answer, request.id)

    def _answer(self, request: Request) -> Response:
        route = self.routes.get(request.route)
        if route is None:
            raise NotFound("no_such_route", "There is nothing here.")
        admit(route, request)
        arguments = [] if route.takes is None else [route.takes.read(request.json())]
        result = route.handler(request, *arguments)
        if isinstance(result, Response):
            return result
        return Response(
            route.status,
            json.dumps(result, ensure_ascii=False, separators=(",", ":")),
            {"content-type": "application/json", "cache-control": "no-store"},
        )


def admit(route: Route, request: Request) -> None:
    """Raises NotSignedIn or NotAllowed for a caller whom the route is not for."""
    if route.who in (Who.ANYONE, Who.STRIPE):
        return
    if route.who is Who.OPERATOR:
        request.operator()
    else:
        _admit_member(route, request.caller())
    if route.idempotent:
        request.idempotency_key()


def _admit_member(route: Route, caller: Caller) -> None:
    if caller.role not in ("manager", "member"):
        raise NotAllowed("no_role", "This sign-in has no role in the account.")
    if route.who is Who.MANAGER and caller.role != "manager":
        raise NotAllowed("manager_only", "The billing section is the manager's alone.")
    if route.who is Who.MANAGER and not caller.email:
        raise NotAllowed("no_email", "This sign-in carries no e-mail address.")
    if route.who is Who.MEMBER and caller.role != "member":
        raise NotAllowed("member_only", "Only a member does this; a manager needs no invitation.")


def problem(error: BillingError) -> Response:
    """The RFC 9457 document of an error."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    document: dict[str, Any] = {
        "type": f"urn:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "detail": error.detail,
        "code": error.code,
    }
    if isinstance(error, Conflict):
        document = {**error.more, **document}
    errors: tuple[FieldError, ...] = getattr(error, "errors", ())
    if errors:
        document["errors"] = [{"field": each.field, "message": each.message} for each in errors]
    if isinstance(error, PaymentNeeded) and error.url:
        document["url"] = error.url
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    if isinstance(error, Busy):
        headers["retry-after"] = str(error.retry_after)
    return Response(status, json.dumps(document, ensure_ascii=False), headers)


def _unexpected() -> Response:
    document = {
        "type": "urn:problem:internal_error",
        "title": "Internal error",
        "status": 500,
        "detail": "Something went wrong here. Try again; if it stays, tell Support the request id.",
        "code": "internal_error",
    }
    return Response(500, json.dumps(document), {"content-type": "application/problem+json"})


def _encode(answer: Response, request_id: str) -> dict[str, Any]:
    binary = isinstance(answer.body, bytes)
    return {
        "statusCode": answer.status,
        "headers": {**answer.headers, "x-request-id": request_id},
        "body": base64.b64encode(answer.body).decode()
        if isinstance(answer.body, bytes)
        else answer.body,
        "isBase64Encoded": binary,
    }


def invalid_query(field: str, message: str) -> InvalidInput:
    return InvalidInput(
        "invalid_input", "The query is not as expected.", (FieldError(field, message),)
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"A body has {limit} bytes at most.")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
