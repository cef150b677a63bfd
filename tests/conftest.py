"""Settings under which the functions can be imported; tests that call out have their own."""

import os
import socket

from infra.openapi import PLACEHOLDERS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SANDBOX = f"http://127.0.0.1:{_free_port()}"
"""Where the session's Stripe sandbox listens once the fixture has started it."""

for name in [each for each in os.environ if each.startswith(("AWS_", "STRIPE_"))]:
    del os.environ[name]
os.environ |= PLACEHOLDERS | {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "CLOCK_URL": f"{SANDBOX}/sandbox/clock",
    "POWERTOOLS_SERVICE_NAME": "billing",
    "STRIPE_API_BASE": SANDBOX,
    "STRIPE_SECRET_ARN": "stripe",
    "STRIPE_EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo",
    "TABLE_NAME": "billing",
    "DOCUMENTS_BUCKET": "billing-documents",
    "OIDC_ISSUER": "https://issuer.example.com/tenant",
    "PRODUCT_NAME": "Acme <Sales>",
}
