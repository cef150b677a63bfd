import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.dynamodb.items import decode_item, encode, encode_item

scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1), values, max_size=4))
def test_what_is_written_is_read_back(item: dict[str, object]) -> None:
    assert decode_item(encode_item(item)) == item


@pytest.mark.parametrize("value", [1.5, {1, 2}, b"bytes", object()])
def test_what_no_row_may_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no row holds"):
        encode(value)


def test_a_truth_value_is_not_a_number() -> None:
    assert encode(True) == {"BOOL": True}
