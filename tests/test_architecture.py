"""The house: who may import whom, what each function loads, and that the papers agree."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from billing.adapters.stripe.events import EVENT_TYPES
from billing.domain import errors
from billing.http import STATUSES
from infra.openapi import DOCUMENT, PLACEHOLDERS, build_document, function_apis
from webhook_process import HANDLERS

ROOT = Path(__file__).parent.parent
LAYER = ROOT / "layers" / "common"
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
CALL_STRIPE = {
    "checkout",
    "invoices",
    "reconcile",
    "renewals",
    "slots",
    "subscription",
    "support",
    "top_up",
    "webhook_process",
}
TAKE_BODIES = {
    "checkout",
    "credits",
    "members",
    "slots",
    "subscription",
    "support",
    "support_requests",
}

FLOORS = {
    "billing.domain": 0,
    "billing.settings": 0,
    "billing.runtime": 0,
    "billing.views": 0,
    "billing.charge_views": 0,
    "billing.log_views": 0,
    "billing.bodies": 0,
    "billing.adapters": 1,
    "billing.http": 1,
    "billing.usecases": 2,
}
FUNCTION_FLOOR = 3


def module_name(path: Path) -> str:
    if path.is_relative_to(LAYER):
        return ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")
    return path.stem


def floor(module: str) -> int:
    if module in FUNCTIONS:
        return FUNCTION_FLOOR
    return next(
        level for prefix, level in FLOORS.items() if (module + ".").startswith(prefix + ".")
    )


@cache
def imports() -> dict[str, set[str]]:
    """Which of our modules, and which packages, each of our modules imports."""
    paths = [*LAYER.rglob("*.py"), *(ROOT / "functions").glob("*.py")]
    modules = {module_name(path): path for path in paths if "build" not in path.parts}
    return {name: _imported(path, modules) for name, path in modules.items() if name != "billing"}


def _imported(path: Path, modules: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules.keys()) or {node.module}
    return found


@pytest.mark.parametrize("module", sorted(imports()))
def test_arrows_point_down_or_stay_on_their_floor(module: str) -> None:
    above = {
        each
        for each in imports()[module]
        if (each in FUNCTIONS or each.startswith("billing.")) and floor(each) > floor(module)
    }
    assert not above


def test_no_function_imports_another() -> None:
    assert not {(name, each) for name in FUNCTIONS for each in imports()[name] if each in FUNCTIONS}


def test_there_are_no_circles() -> None:
    graph = {name: each & imports().keys() for name, each in imports().items()}
    while leaves := [name for name, each in graph.items() if not each & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert graph == {}


@pytest.mark.parametrize("package", ["boto3", "botocore", "stripe", "aws_lambda_powertools"])
def test_the_domain_knows_nothing_of(package: str) -> None:
    users = {
        name
        for name, each in imports().items()
        if name.startswith("billing.domain") and any(one.split(".")[0] == package for one in each)
    }
    assert not users


@pytest.mark.parametrize("call", ["datetime.now", "time.time", "uuid", "random", "time.sleep"])
def test_the_clock_ids_and_randomness_come_through_one_port(call: str) -> None:
    pattern = re.compile(rf"\b{re.escape(call)}\b")
    users = {name for name in imports() if pattern.search(_code(name))}
    assert users <= {"billing.runtime"}


@cache
def _code(module: str) -> str:
    relative = module.replace(".", "/")
    candidates = [LAYER / f"{relative}.py", LAYER / relative / "__init__.py"]
    candidates.append(ROOT / "functions" / f"{relative}.py")
    text = next(path for path in candidates if path.exists()).read_text()
    return ast.unparse(ast.parse(text))


_LOADING = """
import importlib, json, os, sys
import boto3, aws_lambda_powertools
loaded = {}
for function in sys.argv[1:]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        importlib.import_module(function)
        with os.fdopen(writing, "w") as told:
            json.dump(list(sys.modules), told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        loaded[function] = json.load(told)
    os.wait()
print(json.dumps(loaded))
"""
"""What each of them needs is loaded once, and each function in a fork of that."""


@cache
def _loaded() -> dict[str, list[str]]:
    path = os.pathsep.join([str(LAYER), str(ROOT / "functions")])
    answer = subprocess.run(
        [sys.executable, "-c", _LOADING, *FUNCTIONS],
        env=PLACEHOLDERS | {"PYTHONPATH": path, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded: dict[str, list[str]] = json.loads(answer.stdout)
    return loaded


def loaded_by(function: str) -> frozenset[str]:
    """The modules that importing a function brings in, in a process of its own."""
    return frozenset(_loaded()[function])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_stripe_is_loaded_only_where_stripe_is_called(function: str) -> None:
    assert ("stripe" in loaded_by(function)) == (function in CALL_STRIPE)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_pydantic_is_loaded_only_where_a_body_is_taken(function: str) -> None:
    assert ("pydantic" in loaded_by(function)) == (function in TAKE_BODIES)


def test_the_layer_keeps_botocores_description_of_every_service_that_is_called() -> None:
    called = {
        name
        for module in imports()
        for name in re.findall(r"boto3\.client\('(\w+)'", _code(module))
    }
    kept = re.search(r"^SERVICES = (.*)$", (LAYER / "Makefile").read_text(), re.MULTILINE)
    assert kept is not None
    assert set(kept[1].split("|")) - {"secretsmanager"} == called


@cache
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def functions_in_template() -> dict[str, dict[str, Any]]:
    return {
        resource["Properties"]["Handler"].split(".")[0]: resource["Properties"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_one_event_that_fails_drags_no_other_along_and_is_tried_for_an_hour() -> None:
    [events] = functions_in_template()["webhook_process"]["Events"].values()
    assert events["Properties"]["BatchSize"] == 1
    messaging = yaml_parse((ROOT / "infra" / "messaging.yaml").read_text())["Resources"]
    tries = messaging["StripeEventsQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert sum(min(2**number, 120) for number in range(1, tries)) > 3600


def routes_in_template() -> dict[str, str]:
    """Each route, and its authorizer (empty: the API's own)."""
    found = {}
    for properties in functions_in_template().values():
        for each in properties.get("Events", {}).values():
            if each["Type"] == "HttpApi":
                route = each["Properties"]
                authorizer = route.get("Auth", {}).get("Authorizer", "")
                found[f"{route['Method']} {route['Path']}"] = authorizer
    return found


def test_every_module_is_a_function_and_every_function_a_module() -> None:
    assert sorted(functions_in_template()) == FUNCTIONS


def test_the_build_finds_each_functions_module_by_its_name() -> None:
    for name, resource in template()["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            module = re.sub(r"([a-z])([A-Z])", r"\1_\2", name.removesuffix("Function")).lower()
            assert resource["Properties"]["Handler"].split(".")[0] == module


def test_the_template_has_exactly_the_routes_that_functions_declare() -> None:
    for name, api in function_apis().items():
        events = functions_in_template()[name]["Events"].values()
        routed = {f"{each['Properties']['Method']} {each['Properties']['Path']}" for each in events}
        assert routed == set(api.routes)


def test_only_what_anyone_may_call_is_without_the_authorizer() -> None:
    declared = {
        key: route.who for api in function_apis().values() for key, route in api.routes.items()
    }
    open_routes = {key for key, authorizer in routes_in_template().items() if authorizer == "NONE"}
    assert open_routes == {key for key, who in declared.items() if who in ("anyone", "Stripe")}


def test_the_openapi_document_is_up_to_date() -> None:
    assert json.loads(DOCUMENT.read_text()) == build_document(), "run `make openapi`"


def test_every_reference_in_the_openapi_document_leads_somewhere() -> None:
    document = build_document()
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        found: Any = document
        for step in reference.split("/"):
            assert step in found, reference
            found = found[step]


def test_the_readme_names_every_function_and_every_route() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in FUNCTIONS if f"`{name}.py`" not in readme]
    missing += [route for route in routes_in_template() if f"`{route}`" not in readme]
    assert not missing


def test_every_function_has_an_event_file_for_sam_local_invoke() -> None:
    assert sorted(path.stem for path in (ROOT / "tests" / "events").glob("*.json")) == FUNCTIONS


def test_what_is_subscribed_to_at_stripe_is_what_is_handled() -> None:
    assert set(EVENT_TYPES) == set(HANDLERS)


def test_tests_are_spread_by_their_groups(request: pytest.FixtureRequest) -> None:
    """Or what several of them share is made once in each process."""
    in_one_of_several = hasattr(request.config, "workerinput")
    assert request.node.nodeid.endswith("@tests/test_architecture.py") == in_one_of_several


def test_every_error_has_a_status() -> None:
    kinds = {
        each
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, errors.BillingError)
        and each not in (errors.BillingError, errors.Busy)
    }
    assert kinds == set(STATUSES)


def test_no_role_may_delete_or_scan_and_writes_are_transactions_only() -> None:
    for name, properties in functions_in_template().items():
        for policy in properties.get("Policies", []):
            for statement in policy["Statement"]:
                actions = set(statement["Action"])
                assert not any("*" in action for action in actions), name
                assert not actions & {"dynamodb:DeleteItem", "dynamodb:Scan"}, name
                writes = actions & {"dynamodb:PutItem", "dynamodb:UpdateItem"}
                condition = statement.get("Condition", {}).get("ForAnyValue:StringEquals", {})
                in_transaction = condition.get("dynamodb:EnclosingOperation")
                assert not writes or in_transaction == ["TransactWriteItems"], name


@pytest.mark.parametrize("write", ["ledger.append_blind(", "wallets.set_limit("])
def test_who_adds_to_a_wallet_may_update_rows(write: str) -> None:
    users = {name for name in imports() if write in _code(name)}
    assert users
    for function, properties in functions_in_template().items():
        if users & _below(function):
            policies = [each for one in properties["Policies"] for each in one["Statement"]]
            actions = {action for each in policies for action in each["Action"]}
            assert "dynamodb:UpdateItem" in actions, function


def _below(module: str) -> set[str]:
    """What of ours it imports, and what that imports."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found |= waiting
        waiting = {each for name in waiting for each in imports()[name] if each in imports()}
        waiting -= found
    return found


@pytest.mark.parametrize(
    "module", ["money", "credits", "purchases", "invoices", "slots", "top_ups", "deals"]
)
def test_no_float_touches_money_or_credits(module: str) -> None:
    tree = ast.parse((LAYER / "billing" / "domain" / f"{module}.py").read_text())
    found = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or isinstance(node, ast.Div)
    ]
    assert not found
