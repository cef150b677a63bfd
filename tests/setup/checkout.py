"""A checkout whose environment has one small package, and an index that holds it."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra.local import environment

MODULES = ("environment.py", "errors.py", "installer.py", "progress.py")
SEED_SIZE = 400_000
NO_NETWORK = {
    "PIP_INDEX_URL": "http://127.0.0.1:9",
    "PIP_RETRIES": "1",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9",
    "UV_HTTP_RETRIES": "0",
}
BASE_PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
"""The one outside the environment in which these tests run."""


@dataclass(frozen=True)
class Checkout:
    root: Path

    @classmethod
    def make(cls, root: Path) -> "Checkout":
        made = cls(root)
        local = root / "infra" / "local"
        (local / "pins").mkdir(parents=True)
        (root / "bin").mkdir()
        for module in MODULES:
            shutil.copy(environment.ROOT / "infra" / "local" / module, local)
        made.release("seed", {"seed.py": "", "seed.txt": "0123456789" * (SEED_SIZE // 10)})
        script = f'#!/bin/sh\nexec "{environment.uv()}" "$@"\n'
        made.release("uv", {"uv-1.0.data/scripts/uv": script})
        made.pin("local", "seed")
        made.pin("installer", "uv")
        return made

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def index(self) -> str:
        return (self.root / "simple").as_uri()

    def release(self, name: str, files: dict[str, str]) -> None:
        """Put a wheel of version 1.0 into the index."""
        about = f"{name}-1.0.dist-info"
        files = {
            **files,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        records = [f"{file},sha256={_digest(text)},{len(text)}" for file, text in files.items()]
        files[f"{about}/RECORD"] = "\n".join([*records, f"{about}/RECORD,,", ""])
        wheel = self.wheel(name)
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            for file, text in files.items():
                entry = zipfile.ZipInfo(file)
                entry.external_attr = 0o100755 << 16
                archive.writestr(entry, text)
        (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')

    def wheel(self, name: str) -> Path:
        return self.root / "simple" / name / f"{name}-1.0-py3-none-any.whl"

    def pin(self, group: str, name: str) -> None:
        digest = hashlib.sha256(self.wheel(name).read_bytes()).hexdigest()
        pins = self.root / "infra" / "local" / "pins" / f"{group}.txt"
        pins.write_text(f"{name}==1.0 \\\n    --hash=sha256:{digest}\n")

    def put_uv_on_path(self, script: str = 'real "$@"') -> None:
        """`script` is of the shell, in which `real` is the real one."""
        executable = self.root / "bin" / "uv"
        executable.write_text(f"#!/bin/sh\nreal() {{ '{environment.uv()}' \"$@\"; }}\n{script}\n")
        executable.chmod(0o755)

    def command(self, **settings: str) -> "subprocess.Popen[str]":
        surroundings = {
            "PATH": str(self.root / "bin"),
            "HOME": str(self.root),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.index,
            "UV_DEFAULT_INDEX": self.index,
        }
        return subprocess.Popen(
            [BASE_PYTHON, "-m", "infra.local.environment", "local"],
            cwd=self.root,
            env=surroundings | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def set_up(self, **settings: str) -> "Outcome":
        with self.command(**settings) as process:
            _, said = process.communicate()
        return Outcome(process.returncode, without_seconds(said))

    @property
    def has_seed(self) -> bool:
        """Whether the package is there as it was released."""
        found = [path.stat().st_size for path in self.venv.rglob("seed.txt")]
        return found == [SEED_SIZE] and len(list(self.venv.rglob("seed.py"))) == 1


@dataclass(frozen=True)
class Outcome:
    status: int
    said: str


def without_seconds(said: str) -> str:
    """Leave out what is said again where a step takes long."""
    return re.sub(r"^.* \(\d+ s\)\n", "", said, flags=re.MULTILINE)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
