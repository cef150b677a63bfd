"""DynamoDB's expressions, as far as the product uses them. What is not known here is refused."""

import operator as operators
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

Attribute: TypeAlias = dict[str, Any]
"""A value as the wire carries it: `{"S": "text"}`."""
Row: TypeAlias = dict[str, Attribute]

_TOKEN = re.compile(r"\s*(?:(<>|<=|>=|[=<>(),+-])|([#:]?[A-Za-z_][A-Za-z0-9_]*))")
_WORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"}


class Unsupported(NotImplementedError):
    """The product came to use what this store does not do."""


@dataclass(frozen=True, slots=True)
class Given:
    """The names and values that an expression stands on."""

    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Attribute] = field(default_factory=dict)


Test: TypeAlias = Callable[[Row, Given], bool]
Operand: TypeAlias = Callable[[Row, Given], Attribute | None]
Change: TypeAlias = Callable[[Row, Row, Given], None]


@lru_cache(maxsize=256)
def condition(text: str) -> Test:
    parser = _Parser(text)
    test = parser.any_of()
    parser.end()
    return test


@lru_cache(maxsize=256)
def update(text: str) -> Change:
    """Changes the second row; values are read from the first, the row as it was."""
    parser = _Parser(text)
    change = parser.clauses()
    parser.end()
    return change


def number(attribute: Attribute | None) -> int:
    if attribute is None or "N" not in attribute:
        raise Unsupported(f"arithmetic on {attribute}")
    return int(attribute["N"])


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise Unsupported(f"{text[place:]!r} of {text!r}")
            self._tokens.append(found.group(1) or found.group(2))
            place = found.end()
        self._text = text
        self._place = 0

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise Unsupported(f"{self._tokens[self._place :]} of {self._text!r}")

    def any_of(self) -> Test:
        tests = self._separated("OR", self._all_of)
        return tests[0] if len(tests) == 1 else lambda row, given: any(t(row, given) for t in tests)

    def clauses(self) -> Change:
        changes: list[Change] = []
        while self._place < len(self._tokens):
            one = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add}.get(self._next())
            if one is None:
                raise Unsupported(self._text)
            changes += self._separated(",", one)

        def change(before: Row, row: Row, given: Given) -> None:
            for each in changes:
                each(before, row, given)

        return change

    def _all_of(self) -> Test:
        tests = self._separated("AND", self._negatable)
        return tests[0] if len(tests) == 1 else lambda row, given: all(t(row, given) for t in tests)

    def _separated(self, separator: str, one: Callable[[], Any]) -> list[Any]:
        found = [one()]
        while self._taken(separator):
            found.append(one())
        return found

    def _negatable(self) -> Test:
        if self._taken("NOT"):
            test = self._negatable()
            return lambda row, given: not test(row, given)
        if self._taken("("):
            test = self.any_of()
            self._expect(")")
            return test
        return self._function() or self._comparison()

    def _function(self) -> Test | None:
        if self._place + 1 >= len(self._tokens) or self._tokens[self._place + 1] != "(":
            return None
        if self._peek() in ("size", "if_not_exists"):
            return None
        name = self._next()
        self._expect("(")
        arguments = self._separated(",", self._operand)
        self._expect(")")
        return _function_test(name, arguments)

    def _comparison(self) -> Test:
        left = self._operand()
        operator = self._next()
        if operator == "BETWEEN":
            low = self._operand()
            self._expect("AND")
            high = self._operand()
            return lambda row, given: (
                _compare(left(row, given), low(row, given), ">=")
                and _compare(left(row, given), high(row, given), "<=")
            )
        if operator == "IN":
            self._expect("(")
            options = self._separated(",", self._operand)
            self._expect(")")
            return lambda row, given: left(row, given) in [each(row, given) for each in options]
        right = self._operand()
        return lambda row, given: _compare(left(row, given), right(row, given), operator)

    def _set(self) -> Change:
        name = self._next()
        self._expect("=")
        value = self._sum()

        def change(before: Row, row: Row, given: Given) -> None:
            found = value(before, given)
            if found is None:
                raise Unsupported(f"{self._text}: an attribute that is not there")
            row[_name(name, given)] = found

        return change

    def _sum(self) -> Operand:
        first = self._operand()
        for sign, factor in (("+", 1), ("-", -1)):
            if self._taken(sign):
                second = self._operand()
                return lambda row, given: {
                    "N": str(number(first(row, given)) + factor * number(second(row, given)))
                }
        return first

    def _remove(self) -> Change:
        name = self._next()

        def change(before: Row, row: Row, given: Given) -> None:
            row.pop(_name(name, given), None)

        return change

    def _add(self) -> Change:
        name, value = self._next(), self._operand()

        def change(before: Row, row: Row, given: Given) -> None:
            place = _name(name, given)
            present = number(before.get(place, {"N": "0"}))
            row[place] = {"N": str(present + number(value(before, given)))}

        return change

    def _operand(self) -> Operand:
        token = self._next()
        if token.startswith(":"):
            return lambda row, given: given.values[token]
        if token == "if_not_exists":
            self._expect("(")
            path = self._operand()
            self._expect(",")
            otherwise = self._operand()
            self._expect(")")
            return lambda row, given: (
                path(row, given) if path(row, given) is not None else otherwise(row, given)
            )
        if token == "size" or not (token[0] in "#_" or token[0].isalpha()):
            raise Unsupported(f"{token} in {self._text!r}")
        return lambda row, given: row.get(_name(token, given))

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise Unsupported(self._text)
        self._place += 1
        return token

    def _taken(self, token: str) -> bool:
        found = self._peek()
        if found != token and not (found.upper() in _WORDS and found.upper() == token):
            return False
        self._place += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._taken(token):
            raise Unsupported(f"{self._peek()!r} for {token!r} in {self._text!r}")


def _name(token: str, given: Given) -> str:
    return given.names[token] if token.startswith("#") else token


def _function_test(name: str, arguments: list[Operand]) -> Test:
    match name, arguments:
        case "attribute_exists", [path]:
            return lambda row, given: path(row, given) is not None
        case "attribute_not_exists", [path]:
            return lambda row, given: path(row, given) is None
        case "begins_with", [path, prefix]:
            return lambda row, given: _begins(path(row, given), prefix(row, given))
    raise Unsupported(f"{name} of {len(arguments)}")


def _begins(found: Attribute | None, prefix: Attribute | None) -> bool:
    return bool(found and prefix and "S" in found and found["S"].startswith(prefix["S"]))


def _compare(left: Attribute | None, right: Attribute | None, operator: str) -> bool:
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return left != right
    if left is None or right is None or left.keys() != right.keys():
        return False
    kind = next(iter(left))
    if kind not in ("S", "N"):
        raise Unsupported(f"{operator} between {left} and {right}")
    order = _ORDERS.get(operator)
    if order is None:
        raise Unsupported(operator)
    if kind == "N":
        return order(int(left["N"]), int(right["N"]))
    return order(left["S"], right["S"])


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
