"""AWS on this machine: MiniStack on one port of loopback, the deployed HTTP API on another.

The role of every function is enforced, as in AWS; ACCESS_KEY is the account's root.
A page in a browser cannot reach AWS here, but for a link that is followed, such as to a document.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import venv
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.local.guard import App, Receive, Scope, Send, foreign_name, from_a_page, refuse

ACCOUNT = "000000000000"
REGION = "us-east-1"
ACCESS_KEY = "test"
SECRET_KEY = "test"
API_ID = "billing"
SAVE_EVERY_SECONDS = 5
_COPY_TRIES = 5

_API_ROOT = f"/_aws/execute-api/{API_ID}/$default"


class Front:
    """Sends one port to the API and the other to AWS, and counts requests."""

    def __init__(self, app: App, api_port: int) -> None:
        self.app = app
        self.api_port = api_port
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
            is_for_api = scope["server"][1] == self.api_port
            if reason := foreign_name(scope) or ("" if is_for_api else from_a_page(scope)):
                return await refuse(send, reason)
            scope = _at_api_root(scope) if is_for_api else _as_over_tls(scope)
        return await self.app(scope, receive, send)


def _at_api_root(scope: Scope) -> Scope:
    return {
        **scope,
        "path": _API_ROOT + scope["path"],
        "raw_path": _API_ROOT.encode() + scope["raw_path"],
    }


def _as_over_tls(scope: Scope) -> Scope:
    """Loopback stands for TLS, so that policies may demand aws:SecureTransport as in AWS."""
    return {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}


def create_runtime(folder: Path) -> Path:
    """A Python without packages for the functions, so that they see their layer's alone."""
    venv.EnvBuilder(clear=True, symlinks=True).create(folder)
    return folder / "bin" / "python"


async def serve(port: int, api_port: int, log: Path) -> None:
    from hypercorn.asyncio import serve as serve_app
    from hypercorn.config import Config
    from ministack.app import app
    from ministack.core import lambda_runtime

    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    config = Config()
    config.bind = [f"127.0.0.1:{port}", f"127.0.0.1:{api_port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    keep_attributes_of_nested_resources()
    write_what_functions_log(log)
    front = Front(app, api_port)
    saving = asyncio.create_task(_save_what_changes(front))
    try:
        await serve_app(front, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    finally:
        saving.cancel()
        lambda_runtime.reset()


def keep_attributes_of_nested_resources() -> None:
    """MiniStack forgets the attributes of what an update of a nested stack leaves unchanged."""
    from ministack.services.cloudformation import _stacks, provisioners

    update = provisioners._update_resource

    def remember(*given: Any, old_attrs: Any = None) -> Any:
        stack_name, logical_id = given[4:6]
        resources = _stacks.get(stack_name, {}).get("_resources", {})
        return update(*given, old_attrs or resources.get(logical_id, {}).get("Attributes"))

    provisioners._update_resource = remember


def write_what_functions_log(log: Path) -> None:
    """To a file, besides the log groups of CloudWatch."""
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def emit_and_write(func: Any, request_id: str, text: str, *more: Any, **named: Any) -> None:
        emit(func, request_id, text, *more, **named)
        with log.open("a") as file:
            file.writelines(
                f"{func['config']['FunctionName']} {line}\n" for line in text.splitlines()
            )

    lambda_svc._emit_lambda_logs = emit_and_write


async def _save_what_changes(front: Front) -> None:
    """Save every few seconds; MiniStack itself saves only when it is asked to end.

    All is copied at one instant, between two requests: beside them a copy would be torn, and fails
    where a table grows meanwhile. It is written beside them.
    """
    saved = 0
    while True:
        await asyncio.sleep(SAVE_EVERY_SECONDS)
        if front.requests != saved:
            saved = front.requests
            states = _states()
            await asyncio.to_thread(_write, states)


def _states() -> dict[str, Any]:
    """Return a copy of each service's state. One whose own threads change it at each try is left
    out; the copy on disk stays as it was."""
    from ministack.app import _build_persistence_save_dict

    found: dict[str, Any] = {}
    for name, get_state in _build_persistence_save_dict().items():
        for _ in range(_COPY_TRIES):
            with suppress(RuntimeError):
                found[name] = get_state()
                break
        else:
            logging.getLogger(__name__).warning("%s is saved the next time", name)
    return found


def _write(states: Mapping[str, Any]) -> None:
    from ministack.core.persistence import save_state

    for name, state in states.items():
        if state is not None:  # such a service could not be loaded, and what it saved stays
            save_state(name, state)


def configure(port: int, state: Path, runtime: Path) -> None:
    """MiniStack reads its environment when it is imported, so this comes before."""
    os.environ.update(
        {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "services"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "INFO",
        }
    )
    # MiniStack runs functions with this one.
    sys.executable = str(runtime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--functions-log", type=Path, required=True)
    given = parser.parse_args()
    configure(given.port, given.state, given.runtime)
    logging.getLogger("persistence").setLevel(logging.WARNING)
    asyncio.run(serve(given.port, given.api_port, given.functions_log))


if __name__ == "__main__":
    main()
