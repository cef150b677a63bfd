"""Every environment variable, by name.

Modules read what they need at import: a missing one stops the function from starting rather than
failing in the middle of the night. Secrets and tables have no defaults.
"""

import os
from datetime import timedelta


class MissingSetting(RuntimeError):
    """The function's environment lacks a variable."""


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise MissingSetting(f"the environment variable {name} is not set")
    return value


def clock_url() -> str:
    """Where business time is read; empty means the system's clock."""
    return os.environ.get("CLOCK_URL", "")


def table_name() -> str:
    return _required("TABLE_NAME")


def ledger_table_name() -> str:
    return _required("LEDGER_TABLE_NAME")


def documents_bucket() -> str:
    return _required("DOCUMENTS_BUCKET")


def stripe_secret_arn() -> str:
    return _required("STRIPE_SECRET_ARN")


def stripe_api_base() -> str:
    return _required("STRIPE_API_BASE")


def stripe_livemode() -> bool:
    return _required("STRIPE_LIVEMODE") == "true"


def stripe_events_queue_url() -> str:
    return _required("STRIPE_EVENTS_QUEUE_URL")


def event_bus_name() -> str:
    return _required("EVENT_BUS_NAME")


def mail_from() -> str:
    """The sender of every mail; empty means that none is sent."""
    return os.environ.get("MAIL_FROM", "")


def automatic_tax() -> bool:
    return _required("AUTOMATIC_TAX") == "true"


def grace() -> timedelta:
    return timedelta(days=int(_required("GRACE_DAYS")))


def plan_changes() -> str:
    """`support`: a manager asks Support for another plan; `self_service`: changes it alone."""
    return _required("PLAN_CHANGES")


def page_url() -> str:
    """The page that embeds the Billing tab; empty means the API's own."""
    return os.environ.get("PAGE_URL", "")


def support_email() -> str:
    return _required("SUPPORT_EMAIL")


def support_url() -> str:
    return _required("SUPPORT_URL")


def oidc_issuer() -> str:
    return _required("OIDC_ISSUER")


def oidc_client_id() -> str:
    return _required("OIDC_CLIENT_ID")


def oidc_scope() -> str:
    return _required("OIDC_SCOPE")


def oidc_origins() -> str:
    """Origins of the provider beside its issuer's, with spaces between them."""
    return os.environ.get("OIDC_ORIGINS", "")


def jwt_audience() -> str:
    return _required("JWT_AUDIENCE")


def product_name() -> str:
    return _required("PRODUCT_NAME")
