"""The product's tables, for whoever makes them."""

from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

DATA = Path(__file__).parents[1] / "infra" / "data.yaml"


@cache
def tables() -> dict[str, Any]:
    """As data.yaml makes them, but for what only keeps them safe."""
    resources = yaml_parse(DATA.read_text())["Resources"]
    known = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {
        name: {key: value for key, value in resources[each]["Properties"].items() if key in known}
        for name, each in {"billing": "Table", "ledger": "LedgerTable"}.items()
    }
