"""An expression written out again, as it stands in a scenario script."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from lab.explore.expression.grammar import ExpressionError, Tree

BINARY: Final[Mapping[type[ast.operator], tuple[str, int]]] = {
    ast.BitOr: ("|", 1),
    ast.BitXor: ("^", 2),
    ast.BitAnd: ("&", 3),
    ast.LShift: ("<<", 4),
    ast.RShift: (">>", 4),
    ast.Add: ("+", 5),
    ast.Sub: ("-", 5),
    ast.Mult: ("*", 6),
    ast.Div: ("/", 6),
    ast.FloorDiv: ("//", 6),
    ast.Mod: ("%", 6),
}
"""Python's signs, and how tightly they bind."""
_UNARY: Final[Mapping[type[ast.unaryop], str]] = {ast.UAdd: "+", ast.USub: "-", ast.Invert: "~"}
_UNARY_BINDS: Final = 7


def spelled(tree: Tree, names: Mapping[str, str]) -> str:
    """The expression with blanks and quotes as in `scenarios/`, and each of `names` in its script's spelling."""
    return _Speller(tree, names).spell(tree.root, 0)


class _Speller:
    def __init__(self, tree: Tree, names: Mapping[str, str]) -> None:
        self.tree = tree
        self.names = names
        self.octets = False
        """Whether text is to be written as the octets that it stands for."""

    def spell(self, node: ast.expr, binds: int) -> str:
        """The node, in brackets where what is around it binds more tightly than itself."""
        match node:
            case ast.Constant(value=str() | bytes() as value):
                return quoted(value.encode() if self.octets and isinstance(value, str) else value)
            case ast.Constant(value=int()):
                return _number(self.tree.source(node))
            case ast.Constant():
                return repr(node.value)
            case ast.Name(id=name):
                script = self.names.get(name, name)
                return script if re.fullmatch(r"[\w.]+", script) or not binds else f"({script})"
            case ast.Call(func=function, keywords=fields):
                given = (f"{field.arg}={self._field(function, field)}" for field in fields)
                return f"{self.spell(function, 0)}({', '.join(given)})"
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return self._listed(node, [self.spell(part, 0) for part in parts])
            case ast.UnaryOp(op=unary, operand=operand):
                return f"{_UNARY[type(unary)]}{self.spell(operand, _UNARY_BINDS)}"
            case ast.BinOp(left=left, op=operator, right=right):
                sign, own = BINARY[type(operator)]
                text = f"{self.spell(left, own)} {sign} {self.spell(right, own + 1)}"
                return f"({text})" if own < binds else text
        raise ExpressionError("This cannot be written into a script: leave it out", self.tree.at(node))

    @staticmethod
    def _listed(node: ast.expr, parts: list[str]) -> str:
        if isinstance(node, ast.List):
            return f"[{', '.join(parts)}]"
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"

    def _field(self, layer: ast.expr, field: ast.keyword) -> str:
        of_tcp = isinstance(layer, ast.Name) and layer.id in ("TCP", "TCPerror") and field.arg == "options"
        if of_tcp and isinstance(field.value, ast.List | ast.Tuple):
            return self._listed(field.value, [self._option(one) for one in field.value.elts])
        return self.spell(field.value, 0)

    def _option(self, pair: ast.expr) -> str:
        """One of TCP's options as Scapy takes it, however it was typed."""
        match pair:
            case ast.List(elts=[kind, data]) | ast.Tuple(elts=[kind, data]):
                name = kind.value if isinstance(kind, ast.Constant) else None
                # Scapy would fill up an MD5 option by its name.
                return f"({'19' if name == 'MD5' else self.spell(kind, 0)}, {self._data(name, data)})"
        return self.spell(pair, 0)

    def _data(self, option: object, node: ast.expr) -> str:
        """The value of an option: nothing, octets, a number or more of them."""
        match node:
            case ast.Constant(value=None | "" | b"") | ast.Tuple(elts=[]):
                return "None" if option in ("EOL", "NOP") else 'b""'
            case ast.List(elts=[one]) | ast.Tuple(elts=[one]) if option != "SAck":
                return self.spell(one, 0)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return self.spell(ast.Tuple(parts), 0)
        if option == "SAck" and not any(isinstance(getattr(one, "value", 0), str | bytes) for one in ast.walk(node)):
            return self.spell(ast.Tuple([node]), 0)
        self.octets = True
        said = self.spell(node, 0)
        self.octets = False
        return said


def quoted(value: str | bytes) -> str:
    """Text or octets as a literal."""
    text = repr(value)
    prefix, body = ("b", text[2:-1]) if isinstance(value, bytes) else ("", text[1:-1])
    return prefix + in_quotes(re.sub(r"\\(.)", lambda found: found[1] if found[1] in "'\"" else found[0], body))


def in_quotes(body: str) -> str:
    """What a literal holds, whose quotation marks are not escaped yet: in those that need fewer backslashes."""
    sign = "'" if body.count('"') > body.count("'") else '"'
    return sign + body.replace(sign, "\\" + sign) + sign


def _number(word: str) -> str:
    """A number as it was typed: hexadecimal stays so, in ruff's letters."""
    lower = word.lower()
    return f"0x{lower[2:].upper()}" if lower.startswith("0x") else lower
