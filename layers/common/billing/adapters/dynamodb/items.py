"""Python values to and from DynamoDB's attribute values.

Text, whole numbers, truth values, nothing, and maps and lists of them: no floats, no sets.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, Any]


def encode(value: Any) -> "AttributeValueTypeDef":
    """Raises TypeError for a value that no row may hold."""
    match value:
        case str():
            return {"S": str(value)}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case dict():
            return {"M": encode_item(value)}
        case list() | tuple():
            return {"L": [encode(each) for each in value]}
    raise TypeError(f"no row holds a {type(value).__name__}")


def encode_item(item: Item) -> "dict[str, AttributeValueTypeDef]":
    return {name: encode(value) for name, value in item.items()}


def attributes(record: "DataclassInstance") -> Item:
    """Of a value without values inside it: `asdict` would copy each of them, deeply."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def decode(attribute: Any) -> Any:
    kind, value = next(iter(attribute.items()))
    match kind:
        case "N":
            return int(value)
        case "NULL":
            return None
        case "M":
            return decode_item(value)
        case "L":
            return [decode(each) for each in value]
    return value


def decode_item(attributes: Any) -> Item:
    return {name: decode(value) for name, value in attributes.items()}
