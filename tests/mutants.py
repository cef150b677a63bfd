"""Change the code in one place after another, and count the changes that no test notices.

    make mutants MODULES='billing.domain.credits* billing.domain.slots*'

Mutmut keeps its results in `.local/mutants` and continues there. It takes module names from
paths below `src`, so it works on a copy of that form.
(https://mutmut.readthedocs.io)
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".local" / "mutants"
MUTMUT = (sys.executable, "-m", "mutmut")
COUNTED = ("killed", "timeout", "survived", "no_tests", "suspicious", "segfault")


def main(modules: list[str]) -> None:
    _copy()
    subprocess.run((*MUTMUT, "run", "--max-children", "1", *modules), cwd=FOLDER, check=True)
    subprocess.run((*MUTMUT, "export-cicd-stats"), cwd=FOLDER, check=True, capture_output=True)
    stats = json.loads((FOLDER / "mutants" / "mutmut-cicd-stats.json").read_text())
    counts = {name: stats[name] for name in COUNTED}
    caught, checked = counts["killed"] + counts["timeout"], sum(counts.values())
    print(f"\nscore: {100 * caught / max(1, checked):.1f}% of {checked} mutants {counts}")  # noqa: T201


def _copy() -> None:
    source = ROOT / "layers" / "common" / "billing"
    shutil.copytree(source, FOLDER / "src" / "billing", dirs_exist_ok=True)
    for name in ("functions", "infra", "tests"):
        shutil.copytree(ROOT / name, FOLDER / name, dirs_exist_ok=True)
    for name in ("pyproject.toml", "README.md", "template.yaml"):
        shutil.copy(ROOT / name, FOLDER / name)


if __name__ == "__main__":
    main(sys.argv[1:])
