"""How a refusal is kept in a row, so that its command gets the same one again."""

import json
from dataclasses import asdict

from billing.domain.errors import Conflict, FieldError, NotFound, Refusal, RuleRefused


def to_text(refusal: Refusal) -> str:
    kept = {"kind": type(refusal).__name__, "code": refusal.code, "detail": refusal.detail}
    if isinstance(refusal, Conflict):
        return json.dumps({**kept, "more": dict(refusal.more)})
    if isinstance(refusal, RuleRefused):
        return json.dumps({**kept, "errors": [asdict(each) for each in refusal.errors]})
    return json.dumps(kept)


def from_text(text: str) -> Refusal:
    kept = json.loads(text)
    said = kept["code"], kept["detail"]
    if kept["kind"] == Conflict.__name__:
        return Conflict(*said, kept["more"])
    if kept["kind"] == RuleRefused.__name__:
        return RuleRefused(*said, tuple(FieldError(**each) for each in kept["errors"]))
    return NotFound(*said)
