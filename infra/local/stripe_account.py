"""The Stripe that a stack talks to: the sandbox, or a real account in test mode."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import Unable
from infra.local.state import State

SANDBOX_KEY = "sk_test_sandbox"


class KeyRefused(Unable):
    """The message says why and what to do."""


class CatalogNotApplied(Unable):
    """The message is the command's last line."""


@dataclass(frozen=True)
class Credentials:
    key: str = SANDBOX_KEY
    webhook_secret: str | None = None

    @property
    def is_sandbox(self) -> bool:
        return self.webhook_secret is None

    @property
    def account(self) -> str:
        """As a sentence names it."""
        return "the sandbox" if self.is_sandbox else "Stripe's test mode"

    def base(self, sandbox_port: int) -> str:
        return f"http://127.0.0.1:{sandbox_port}" if self.is_sandbox else "https://api.stripe.com"


def choose(environment: Mapping[str, str]) -> Credentials:
    """Those of the environment, or the sandbox's where it has none. Raises KeyRefused."""
    key = environment.get("STRIPE_API_KEY", "")
    if not key:
        return Credentials()
    if "_live_" in key:
        raise KeyRefused(
            "STRIPE_API_KEY is a live key: it moves real money, and here things are only tried. "
            "Give a test key (sk_test_…), or none to use the sandbox."
        )
    if not key.startswith("sk_test_"):
        raise KeyRefused("STRIPE_API_KEY is no test key (sk_test_…). Unset it to use the sandbox.")
    secret = environment.get("STRIPE_WEBHOOK_SECRET", "")
    if not secret.startswith("whsec_"):
        raise KeyRefused(
            "STRIPE_API_KEY is there, STRIPE_WEBHOOK_SECRET (whsec_…) is not. `stripe listen "
            "--forward-to 127.0.0.1:8080/webhooks/stripe` prints it and brings the webhooks here."
        )
    return Credentials(key, secret)


class StripeAccount:
    """Brings the account at `base` in line with the catalog, and has its webhooks sent here."""

    def __init__(self, root: Path, state: State, credentials: Credentials, base: str) -> None:
        self.root = root
        self.state = state
        self.credentials = credentials
        self.base = base

    def set_up(self, webhook_url: str, environment: Mapping[str, str]) -> str:
        """The webhook's secret. A real account's endpoint is its owner's to make.

        Raises CatalogNotApplied.
        """
        if self.credentials.webhook_secret:
            self._apply(environment)
            return self.credentials.webhook_secret
        kept = self.state.webhook_secret(webhook_url)
        if kept is None:
            self._remove_endpoints()
        made = self._apply(environment, "--webhook-url", webhook_url)["webhook_secret"]
        if made:
            self.state.keep_webhook_secret(webhook_url, made)
        return str(made or kept)

    def _apply(self, environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
        account = {"STRIPE_API_KEY": self.credentials.key, "STRIPE_API_BASE": self.base}
        result = subprocess.run(
            (sys.executable, "-m", "infra.stripe_setup", *arguments),
            env={**environment, **account},
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            reason = result.stderr.strip().splitlines()[-1:]
            raise CatalogNotApplied("\n".join(["The catalog was not applied at Stripe.", *reason]))
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def _remove_endpoints(self) -> None:
        """Those of ports that are no longer this stack's, or whose secret nobody knows."""
        import stripe

        client = stripe.StripeClient(self.credentials.key, base_addresses={"api": self.base})
        for endpoint in client.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter():
            client.v1.webhook_endpoints.delete(endpoint.id)
