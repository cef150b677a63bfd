"""`python -m infra.local.stripe_sandbox --port 12111 --state stripe.sqlite3`"""

import argparse
import logging
import signal
import sys
from pathlib import Path

import uvicorn

from infra.local.stripe_sandbox import periods
from infra.local.stripe_sandbox.sandbox import Sandbox
from infra.local.stripe_sandbox.server import DroppingProtocol, create_app
from infra.local.stripe_sandbox.state import StaleState
from infra.local.stripe_sandbox.world import Rules


def main() -> None:
    parser = argparse.ArgumentParser(prog="stripe_sandbox", description="A stand-in for Stripe.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="SQLite file, made if missing")
    parser.add_argument("--secret-key", default="sk_test_sandbox")
    parser.add_argument(
        "--draft-seconds", type=int, default=0, help="how long a renewal's invoice stays a draft"
    )
    parser.add_argument(
        "--after-retries",
        choices=("cancel", "unpaid", "past_due"),
        default="cancel",
        help="what becomes of a subscription whose renewal was never paid",
    )
    parser.add_argument(
        "--begins",
        type=periods.instant,
        metavar="TIME",
        help="the clock's time on the first start, such as 2027-01-31T00:00:00Z; now unless given",
    )
    given = parser.parse_args()
    if not given.secret_key.startswith("sk_test_"):
        parser.error("the secret key must be a test key: sk_test_…")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    rules = Rules(draft_seconds=given.draft_seconds, after_retries=given.after_retries)
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: sys.exit(0))  # uvicorn raises it again once it is done
    base = f"http://127.0.0.1:{given.port}"
    try:
        sandbox = Sandbox(given.state, given.secret_key, base, rules, given.begins)
    except StaleState as error:
        parser.error(f"{error} Choose another file, or remove it to start anew.")
    uvicorn.run(
        create_app(sandbox),
        host="127.0.0.1",
        port=given.port,
        http=DroppingProtocol,
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
