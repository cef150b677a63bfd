"""The people of the local stack, and the claims of their tokens."""

import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Person:
    email: str
    account: str
    role: str
    scopes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.email.partition("@")[0].title()

    @property
    def id(self) -> str:
        """The same for one address however its token is made."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email}"))

    @property
    def claims(self) -> dict[str, Any]:
        return {
            "sub": self.id,
            "email": self.email,
            "email_verified": True,
            "name": self.name,
            "account_id": self.account,
            "role": self.role,
        }


ANA = Person("ana@acme.test", "acme", "manager")
BEN = Person("ben@globex.test", "globex", "manager")
MIA = Person("mia@acme.test", "acme", "member")
OLGA = Person("olga@operator.test", "operator", "member", ("billing.support",))

PEOPLE = (ANA, BEN, MIA, OLGA)
