"""The grammar of metric math, as far as it is rehearsed."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z]\w*)|(?P<sign>&&|\|\||[<>=!]=|[-+*/<>(),\[\]]))")
# From the weakest to the strongest.
_PRECEDENCE = (("OR", "||"), ("AND", "&&"), ("<", "<=", ">", ">=", "==", "!="), ("+", "-"), ("*", "/"))
_SPELLINGS = {"||": "OR", "&&": "AND"}
_END = ""


class NotRehearsed(ValueError):
    """What CloudWatch may understand, and the engine does not. The text is for people."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not rehearsed: {what}")


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Name:
    """The Id of a metric or of another expression."""

    name: str


@dataclass(frozen=True)
class Array:
    """An array of time series."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Call:
    """A function with its arguments; without parentheses, such as REPEAT, it has none."""

    function: str
    arguments: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Operation:
    """An operator between two operands."""

    operator: str
    left: Node
    right: Node


Node = Number | Name | Array | Call | Operation


@functools.cache
def parse(expression: str) -> Node:
    """Read an expression.

    Raises:
        NotRehearsed: It is not valid, or uses more than the operators that are rehearsed.
    """
    return _Parser(expression).parse()


@functools.cache
def names_in(expression: str) -> frozenset[str]:
    """The Ids in an expression."""
    found, left = set(), [parse(expression)]
    while left:
        match left.pop():
            case Name(name):
                found.add(name)
            case Array(parts) | Call(_, parts):
                left.extend(parts)
            case Operation(_, one, other):
                left.extend((one, other))
    return frozenset(found)


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[str] = []
        position, end = 0, len(expression.rstrip())
        while position < end:
            found = _TOKEN.match(expression, position)
            if found is None:
                raise NotRehearsed(f"{expression[position:].strip()!r} in the expression {expression!r}")
            self._tokens.append(found.group().strip())
            position = found.end()
        self._tokens.append(_END)

    def parse(self) -> Node:
        found = self._operations(0)
        self._take(_END)
        return found

    def _next(self) -> str:
        return self._tokens.pop(0)

    def _take(self, expected: str) -> None:
        if self._tokens[0] != expected:
            raise NotRehearsed(f"{self._tokens[0] or 'the end'!r} in the expression {self._expression!r}")
        self._next()

    def _operations(self, level: int) -> Node:
        if level == len(_PRECEDENCE):
            return self._operand()
        left = self._operations(level + 1)
        while self._tokens[0] in _PRECEDENCE[level]:
            sign = self._next()
            left = Operation(_SPELLINGS.get(sign, sign), left, self._operations(level + 1))
        return left

    def _operand(self) -> Node:
        part = self._tokens[0]
        if part == "(":
            self._next()
            inner = self._operations(0)
            self._take(")")
            return inner
        if part == "[":
            return Array(self._list("[", "]"))
        if part == "-":
            self._next()
            return Operation("-", Number(0), self._operand())
        if part[:1].isdigit():
            return Number(float(self._next()))
        if part[:1].islower():
            return Name(self._next())
        if part[:1].isupper() and part not in _SPELLINGS.values():
            self._next()
            return Call(part, self._list("(", ")") if self._tokens[0] == "(" else ())
        raise NotRehearsed(f"{part or 'the end'!r} in the expression {self._expression!r}")

    def _list(self, opening: str, closing: str) -> tuple[Node, ...]:
        self._take(opening)
        if self._tokens[0] == closing:
            self._next()
            return ()
        found = [self._operations(0)]
        while self._tokens[0] == ",":
            self._next()
            found.append(self._operations(0))
        self._take(closing)
        return tuple(found)
