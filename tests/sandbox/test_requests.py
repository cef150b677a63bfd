"""What the sandbox refuses, and how."""

from typing import Any

import httpx
import pytest
import stripe
from stripe._api_version import _ApiVersion

from tests.sandbox.shop import KEY, Shop, client

PINNED = _ApiVersion.CURRENT


def post(shop: Shop, path: str, form: str, **headers: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {KEY}"} | headers
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return shop.http.post(f"{shop.base}/v1/{path}", content=form, headers=headers)


def error(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


@pytest.mark.parametrize(
    ("path", "form", "code", "param"),
    [
        ("customers", "surname=x", "parameter_unknown", "surname"),
        ("customers", "address[planet]=x", "parameter_unknown", "address[planet]"),
        ("products", "description=x", "parameter_missing", "name"),
        ("prices", "currency=usd&unit_amount=ten&product=p", "parameter_invalid_integer", None),
        ("prices", "currency=usd&unit_amount=-1&product=p", "resource_missing", "product"),
        ("checkout/sessions", "mode=setup", "parameter_missing", "success_url"),
        ("customers", "email=", "parameter_invalid_empty", "email"),
        (
            "checkout/sessions",
            "mode=payment&success_url=x&line_items[0][quantity]=1",
            "parameter_missing",
            "line_items[0][price]",
        ),
        (
            "checkout/sessions",
            "mode=payment&success_url=x&line_items[0][price]=price_no",
            "resource_missing",
            "line_items[0][price]",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_code_and_name(
    shop: Shop, path: str, form: str, code: str, param: str | None
) -> None:
    answer = post(shop, path, form)
    assert answer.status_code == 400
    assert error(answer)["type"] == "invalid_request_error"
    assert error(answer)["code"] == code
    assert param is None or error(answer)["param"] == param


def test_a_value_outside_its_enum_is_refused_with_the_values_there_are(shop: Shop) -> None:
    answer = post(shop, "checkout/sessions", "mode=barter&success_url=x")
    assert answer.status_code == 400
    message = "Invalid mode: must be one of payment, setup or subscription"
    assert error(answer)["message"] == message


def test_a_boolean_must_be_true_or_false(shop: Shop) -> None:
    answer = post(shop, "products", "name=x&active=maybe")
    assert answer.status_code == 400
    assert error(answer)["message"] == "Invalid boolean: maybe"


def test_a_parameter_given_twice_is_refused(shop: Shop) -> None:
    assert post(shop, "customers", "name=a&name=b").status_code == 400


def test_an_object_that_does_not_exist_is_404(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.stripe.customers.retrieve("cus_nobody")
    assert refused.value.http_status == 404
    assert refused.value.code == "resource_missing"
    assert "No such customer: 'cus_nobody'" in str(refused.value)


def test_an_id_of_another_kind_is_not_found(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.stripe.customers.retrieve(shop.price())


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer sk_test_other"}])
def test_a_missing_or_wrong_key_is_401(shop: Shop, header: dict[str, str]) -> None:
    answer = shop.http.get(f"{shop.base}/v1/customers", headers=header)
    assert answer.status_code == 401
    assert "sk_test_other" not in answer.text


def test_the_key_is_taken_as_basic_auth_too(shop: Shop) -> None:
    assert shop.http.get(f"{shop.base}/v1/customers", auth=(KEY, "")).status_code == 200


def test_another_api_version_is_refused_by_name(shop: Shop) -> None:
    answer = post(shop, "customers", "", **{"Stripe-Version": "2024-06-20"})
    assert answer.status_code == 400
    assert "2024-06-20" in error(answer)["message"]
    assert PINNED in error(answer)["message"]


def test_the_pinned_client_speaks_the_pinned_version(shop: Shop) -> None:
    answer = post(shop, "customers", "", **{"Stripe-Version": PINNED})
    assert answer.status_code == 200
    assert answer.headers["stripe-version"] == PINNED


def test_a_route_of_stripes_that_is_not_done_says_so(shop: Shop) -> None:
    with pytest.raises(stripe.APIError) as refused:
        shop.stripe.coupons.create({"percent_off": 10})
    assert refused.value.http_status == 501
    assert "This sandbox does not do POST /v1/coupons." in str(refused.value)


def test_a_parameter_of_stripes_that_is_not_done_says_so(shop: Shop) -> None:
    answer = post(shop, "customers", "balance=100")
    assert answer.status_code == 501
    assert error(answer)["param"] == "balance"
    assert "the parameter balance of POST /v1/customers" in error(answer)["message"]


def test_a_value_of_stripes_that_is_not_done_says_so(shop: Shop) -> None:
    answer = post(shop, "checkout/sessions", "mode=payment&success_url=x&ui_mode=elements")
    assert answer.status_code == 501
    assert "ui_mode=elements" in error(answer)["message"]


def test_a_path_that_is_not_stripes_is_404(shop: Shop) -> None:
    answer = post(shop, "wallets", "")
    assert answer.status_code == 404
    assert "Unrecognized request URL (POST: /v1/wallets)" in error(answer)["message"]


def test_every_answer_carries_a_request_id(shop: Shop) -> None:
    assert post(shop, "customers", "surname=x").headers["request-id"].startswith("req_")


def test_metadata_merges_and_an_empty_value_deletes_its_key(shop: Shop) -> None:
    customer = shop.customer(metadata={"a": "1", "b": "2"})
    changed = shop.stripe.customers.update(customer, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    cleared = shop.stripe.customers.update(customer, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}


def test_a_lookup_key_moves_only_when_told_to(shop: Shop) -> None:
    old = shop.price(lookup_key="team_monthly")
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        shop.price(lookup_key="team_monthly")
    new = shop.price(lookup_key="team_monthly", transfer_lookup_key=True)
    found = shop.stripe.prices.list({"lookup_keys": ["team_monthly"]}).data
    assert [price.id for price in found] == [new]
    assert shop.stripe.prices.retrieve(old).lookup_key is None


def test_a_zero_decimal_currency_keeps_its_amount(shop: Shop) -> None:
    price = shop.stripe.prices.retrieve(shop.price(1200, currency="jpy"))
    assert (price.unit_amount, str(price.unit_amount_decimal)) == (1200, "1200")


def test_lists_go_newest_first_in_pages_both_ways(shop: Shop) -> None:
    email = "pages@acme.test"
    made = [shop.customer(email=email) for _ in range(5)][::-1]
    first = shop.stripe.customers.list({"email": email, "limit": 2})
    assert [c.id for c in first.data] == made[:2]
    assert first.has_more
    second = shop.stripe.customers.list({"email": email, "limit": 3, "starting_after": made[1]})
    assert [c.id for c in second.data] == made[2:]
    assert not second.has_more
    back = shop.stripe.customers.list({"email": email, "limit": 2, "ending_before": made[3]})
    assert [c.id for c in back.data] == made[1:3]
    assert back.has_more
    paged = shop.stripe.customers.list({"email": email, "limit": 2}).auto_paging_iter()
    assert [c.id for c in paged] == made


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_holds_1_to_100(shop: Shop, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="between 1 and 100"):
        shop.stripe.customers.list({"limit": limit})


def test_a_cursor_must_exist(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as refused:
        shop.stripe.customers.list({"starting_after": "cus_no"})
    assert refused.value.param == "starting_after"


def test_ids_expand_where_asked_and_through_lists(shop: Shop) -> None:
    subscription = shop.subscribe()
    found = shop.stripe.subscriptions.list(
        {
            "customer": subscription.customer,
            "expand": [
                "data.customer",
                "data.latest_invoice.payments",
                "data.items.data.price",
            ],
        }
    ).data[0]
    assert found.customer.email == "ana@acme.test"  # type: ignore[union-attr]
    invoice: Any = found.latest_invoice
    assert invoice.payments.data[0].status == "paid"
    price: Any = found["items"].data[0].price
    assert price.unit_amount == 4900


def test_what_is_deeper_than_four_levels_is_not_expanded(shop: Shop) -> None:
    """A list is one of them, too."""
    subscription = shop.subscribe()
    five = "data.items.data.price.product"
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        shop.stripe.subscriptions.list({"customer": subscription.customer, "expand": [five]})


@pytest.mark.parametrize("path", ["email", "nonsense", "invoice_settings.footer"])
def test_what_cannot_be_expanded_is_refused(shop: Shop, path: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.stripe.customers.retrieve(shop.customer(), {"expand": [path]})


def test_an_expansion_that_is_not_done_says_so(shop: Shop) -> None:
    with pytest.raises(stripe.APIError, match="does not do the expansion of subscriptions"):
        shop.stripe.customers.retrieve(shop.customer(), {"expand": ["subscriptions"]})


def test_the_same_key_and_request_get_the_first_answer_again(shop: Shop) -> None:
    first = post(shop, "customers", "name=a", **{"Idempotency-Key": "same"})
    again = post(shop, "customers", "name=a", **{"Idempotency-Key": "same"})
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


def test_the_same_key_with_other_parameters_is_an_error(shop: Shop) -> None:
    post(shop, "customers", "name=a", **{"Idempotency-Key": "other"})
    answer = post(shop, "customers", "name=b", **{"Idempotency-Key": "other"})
    assert answer.status_code == 400
    assert error(answer)["type"] == "idempotency_error"


def test_a_refusal_by_validation_does_not_use_up_its_key(shop: Shop) -> None:
    assert post(shop, "customers", "x=1", **{"Idempotency-Key": "mended"}).status_code == 400
    assert post(shop, "customers", "name=a", **{"Idempotency-Key": "mended"}).status_code == 200


def test_a_declined_payment_is_the_stored_answer_of_its_key(shop: Shop) -> None:
    subscription = shop.subscribe(card="4000000000000341")
    invoice = _unpaid_invoice(shop, subscription)
    headers = {"Idempotency-Key": f"pay-{invoice}"}
    first = post(shop, f"invoices/{invoice}/pay", "", **headers)
    again = post(shop, f"invoices/{invoice}/pay", "", **headers)
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.headers["idempotent-replayed"] == "true"
    charges = shop.stripe.charges.list({"customer": str(subscription.customer)}).data
    assert [charge.status for charge in charges].count("failed") == 1


def _unpaid_invoice(shop: Shop, subscription: Any) -> str:
    other = shop.stripe.subscriptions.create(
        {
            "customer": subscription.customer,
            "items": [{"price": shop.price()}],
            "default_payment_method": subscription.default_payment_method,
            "payment_behavior": "default_incomplete",
        }
    )
    return str(other.latest_invoice)


def test_a_client_error_is_raised_as_the_clients_own_kind(shop: Shop) -> None:
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_test_x", base_addresses={"api": shop.base}).v1.customers.list()


def test_a_retrying_client_gets_over_what_faults_allow(shop: Shop) -> None:
    faults = [{"fault": "409"}, {"fault": "timeout_before", "path": "/v1/customers"}]
    shop.order("faults", {"next": faults})
    retrying = client(shop.base, max_network_retries=2)
    assert retrying.v1.customers.create({"name": "after all"}).name == "after all"


def test_a_deleted_customer_is_found_as_deleted_and_can_do_nothing(shop: Shop) -> None:
    customer = shop.customer(email="leaving@acme.test")
    shop.stripe.customers.delete(customer)
    found: Any = shop.stripe.customers.retrieve(customer)
    assert found.deleted is True
    assert shop.stripe.customers.list({"email": "leaving@acme.test"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.checkout(customer=customer)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.stripe.customers.update(customer, {"name": "x"})


@pytest.mark.parametrize(
    "metadata", [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}]
)
def test_metadata_has_its_limits(shop: Shop, metadata: dict[str, str]) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Metadata holds up to"):
        shop.customer(metadata=metadata)


def test_a_checkout_sells_at_least_one(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="greater than or equal to 1") as refused:
        shop.checkout(line_items=[{"price": shop.price(), "quantity": 0}])
    assert refused.value.param == "line_items[0][quantity]"
