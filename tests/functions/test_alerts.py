"""Failures have somebody who hears of them: each counts in a metric that an alarm watches."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

import overview
import webhook_receive
from billing.adapters.stripe.client import our_errors
from infra.local import template
from tests.factories import api_event
from tests.functions.conftest import ROOT
from tests.functions.product import Product

LAMBDA = SimpleNamespace(function_name="overview")


def counted(capsys: pytest.CaptureFixture[str], name: str) -> list[dict[str, Any]]:
    """The lines in CloudWatch's embedded metric format that count `name`."""
    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines() if each[:1] == "{"]
    return [each for each in lines if "_aws" in each and name in each]


def test_an_unexpected_error_counts_in_all_and_for_its_function(
    product: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(overview, "show_billing", lambda *_, **__: 1 / 0)
    answer = overview.api(api_event("overview", "GET /billing"), LAMBDA)
    assert answer["statusCode"] == 500
    dimensions = [each.get("function") for each in counted(capsys, "UnexpectedError")]
    assert dimensions == [None, "overview"]


def test_a_refusal_is_no_error(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    assert product.call("GET /billing", claims={"role": "member"}).status == 403
    assert counted(capsys, "UnexpectedError") == []


def test_webhooks_that_are_not_signed_are_counted(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    event = api_event("webhook_receive", headers={"stripe-signature": "t=1,v1=0"})
    assert webhook_receive.api(event, LAMBDA)["statusCode"] == 400
    assert len(counted(capsys, "BadSignature")) == 1


def test_a_key_that_stripe_refuses_calls_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(stripe.AuthenticationError), our_errors():
        raise stripe.AuthenticationError("Invalid API Key", http_status=401)
    assert len(counted(capsys, "Alert")) == 1


def test_each_alarm_and_each_alert_is_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    sources = [*(ROOT / "functions").glob("*.py"), *(ROOT / "layers").rglob("*.py")]
    lines = {
        line for each in sources for line in re.findall(r'alert\(\s*"([^"]+)"', each.read_text())
    }
    assert len(lines) > 10
    alarms = template.read(ROOT / "infra" / "alarms.yaml")["Resources"]
    assert [each for each in sorted(lines | alarms.keys()) if each not in runbook] == []


def test_each_count_has_an_alarm() -> None:
    alarms = template.read(ROOT / "infra" / "alarms.yaml")["Resources"].values()
    watched = {each["Properties"]["MetricName"] for each in alarms}
    assert {"Alert", "UnexpectedError", "BadSignature"} <= watched
