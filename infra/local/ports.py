"""Ports on loopback: which are free, and who holds one that is not."""

import os
import socket
from pathlib import Path

_LISTEN = "0A"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def holder(port: int) -> str:
    """Who listens there, as `name (process 123)`, or an empty string where that cannot be known."""
    inodes = {inode for listening, inode in _listening() if listening == port}
    for pid in filter(str.isdigit, os.listdir("/proc") if inodes else []):
        try:
            opened = [os.readlink(handle) for handle in Path(f"/proc/{pid}/fd").iterdir()]
            if any(link.removeprefix("socket:").strip("[]") in inodes for link in opened):
                return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
        except OSError:
            continue
    return ""


def _listening() -> list[tuple[int, str]]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            for row in Path(table).read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTEN:
                    found.append((int(fields[1].rsplit(":", 1)[1], 16), fields[9]))
    return found
