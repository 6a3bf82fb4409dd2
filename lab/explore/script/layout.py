"""Lines of a script, laid out as the formatter of `scenarios/` has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from lab.explore.expression.spelling import BINARY, in_quotes

WIDTH = 120
"""Columns of a line."""
_INDENT = " " * 4
_UNIT = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|\\.|.")
"""What a literal may not be cut in."""


def laid_out(line: str, indent: str) -> list[str]:
    """A statement in as many lines as it takes, each behind `indent`."""
    if len(indent) + len(line) <= WIDTH:
        return [indent + line]
    [statement] = ast.parse(line).body
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return _Layout(line).lines(value, indent, f"{name} = ")
        case ast.Expr(value=value):
            return _Layout(line).lines(value, indent)
    return [indent + line]


class _Layout:
    def __init__(self, code: str) -> None:
        self.code = code.encode()  # columns are counted in octets of UTF-8

    def text(self, node: ast.AST) -> str:
        """The node as it is written, without brackets around it."""
        assert isinstance(node, ast.expr | ast.keyword)
        return self.code[node.col_offset : node.end_col_offset].decode()

    def lines(self, node: ast.expr | ast.keyword, indent: str, before: str = "", after: str = "") -> list[str]:
        """The node, `before` on its first line and `after` on its last, in as many lines as that takes."""
        whole = f"{indent}{before}{self.text(node)}{after}"
        if len(whole) <= WIDTH:
            return [whole]
        match node:
            case ast.keyword(arg=name, value=value):
                return self.lines(value, indent, f"{before}{name}=", after)
            case ast.Attribute(value=value, attr=name):
                return self.lines(value, indent, before, f".{name}{after}")
            case ast.Call(func=function, args=parts, keywords=fields):
                first, calls = self._chain(node)
                if len(calls) > 1:
                    calls[-1] += after
                    return [*self.lines(first, indent, before), *(indent + call for call in calls)]
                if not parts and not fields:
                    return self.lines(function, indent, before, f"(){after}")
                head, inside = f"{before}{self.text(function)}(", self._arguments(node)
                if len(inside) <= WIDTH - len(indent + _INDENT):
                    return [indent + head, indent + _INDENT + inside, f"{indent}){after}"]
                comma = len(parts) != 1 or bool(fields)
                return self._inside([*parts, *fields], indent, head, f"){after}", comma=comma)
            case ast.List(elts=parts):
                return self._inside(parts, indent, f"{before}[", f"]{after}")
            case ast.Tuple(elts=parts):
                return self._inside(parts, indent, f"{before}(", f"){after}")
            case ast.BinOp():
                operands = self._operands(node)
                last = len(operands) - 1
                return [
                    line
                    for i, (sign, one, bracketed) in enumerate(operands)
                    for line in self._operand(one, indent, sign or before, after if i == last else "", bracketed)
                ]
            case ast.Constant(value=str() | bytes()):
                one, *more = pieces(self.text(node), len(indent) + len(before), len(indent) + len(after))
                return [f"{indent}{before}{one}", *(indent + each for each in more[:-1]), f"{indent}{more[-1]}{after}"]
        return [whole]

    def _inside(
        self, parts: Sequence[ast.expr | ast.keyword], indent: str, head: str, tail: str, *, comma: bool = True
    ) -> list[str]:
        """Each of the parts that stand in brackets in lines of its own; `comma` behind the last of them."""
        lines = [line for part in parts for line in self.lines(part, indent + _INDENT, after="," if comma else "")]
        return [indent + head, *lines, indent + tail]

    def _arguments(self, node: ast.Call) -> str:
        return ", ".join([*map(self.text, node.args), *map(self.text, node.keywords)])

    def _chain(self, node: ast.Call) -> tuple[ast.expr, list[str]]:
        """The call that others follow, each about what the one before it has given, and those."""
        calls: list[str] = []
        first: ast.expr = node
        while isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute):
            calls.insert(0, f".{first.func.attr}({self._arguments(first)})")
            first = first.func.value
        return (first, calls) if isinstance(first, ast.Call) else (node, [])

    def _operands(self, node: ast.BinOp) -> list[tuple[str, ast.expr, bool]]:
        """What signs that bind alike join: the sign in front of each, and whether it stands in brackets."""
        sign, own = BINARY[type(node.op)]
        left, right = node.left, node.right
        if isinstance(left, ast.BinOp) and _binds(left) == own:
            return [*self._operands(left), (f"{sign} ", right, _binds(right) <= own)]
        return [("", left, _binds(left) < own), (f"{sign} ", right, _binds(right) <= own)]

    def _operand(self, node: ast.expr, indent: str, before: str, after: str, bracketed: bool) -> list[str]:
        """One of them; a literal that has to be cut gets brackets."""
        left, right = f"{before}{'(' * bracketed}", f"{')' * bracketed}{after}"
        whole = f"{indent}{left}{self.text(node)}{right}"
        if len(whole) <= WIDTH:
            return [whole]
        if not bracketed and not isinstance(node, ast.Constant):
            return self.lines(node, indent, before, after)
        return [f"{indent}{before}(", *self.lines(node, indent + _INDENT), f"{indent}){after}"]


def _binds(node: ast.expr) -> int:
    """How tightly what the node joins is bound."""
    return BINARY[type(node.op)][1] if isinstance(node, ast.BinOp) else 99


def pieces(literal: str, before: int, after: int) -> list[str]:
    """A literal in pieces for lines of their own, cut behind the ends of lines where it has some.

    `before`, `after`: the columns in front of each, and behind the last.
    """
    prefix = "b" if literal.startswith("b") else ""
    body = literal[len(prefix) + 1 : -1]
    most = WIDTH - before - after - len(prefix) - 2
    cut, size, quotes = [""], 0, {"'": 0, '"': 0}
    for unit in _UNIT.findall(body):
        plain = unit[1:] if unit in ("\\'", '\\"') else unit
        wide = size + len(plain) + min(n + (plain == sign) for sign, n in quotes.items())
        if wide > most or (cut[-1].endswith("\\r\\n") and size > most // 2):
            cut.append("")
            size, quotes = 0, {"'": 0, '"': 0}
        cut[-1] += plain
        size += len(plain)
        quotes = {sign: n + (plain == sign) for sign, n in quotes.items()}
    return [f"{prefix}{in_quotes(piece)}" for piece in cut]
