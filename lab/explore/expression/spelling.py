"""An expression written out again, as it stands in a scenario script."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from lab.explore.expression.grammar import ExpressionError, Tree

_BINARY: Final[Mapping[type[ast.operator], tuple[str, int]]] = {
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

    def spell(self, node: ast.expr, binds: int) -> str:
        """The node, in brackets where what is around it binds more tightly than itself."""
        match node:
            case ast.Constant(value=str() | bytes() as value):
                return quoted(value)
            case ast.Constant(value=int()):
                return _number(self.tree.source(node))
            case ast.Constant():
                return repr(node.value)
            case ast.Name(id=name):
                script = self.names.get(name, name)
                return script if re.fullmatch(r"[\w.]+", script) or not binds else f"({script})"
            case ast.Call(func=function, keywords=fields):
                given = (f"{field.arg}={self.spell(field.value, 0)}" for field in fields)
                return f"{self.spell(function, 0)}({', '.join(given)})"
            case ast.List(elts=parts):
                return f"[{', '.join(self.spell(part, 0) for part in parts)}]"
            case ast.Tuple(elts=parts):
                inside = ", ".join(self.spell(part, 0) for part in parts)
                return f"({inside},)" if len(parts) == 1 else f"({inside})"
            case ast.UnaryOp(op=unary, operand=operand):
                return f"{_UNARY[type(unary)]}{self.spell(operand, _UNARY_BINDS)}"
            case ast.BinOp(left=left, op=operator, right=right):
                sign, own = _BINARY[type(operator)]
                text = f"{self.spell(left, own)} {sign} {self.spell(right, own + 1)}"
                return f"({text})" if own < binds else text
        raise ExpressionError("This cannot be written into a script: leave it out", self.tree.at(node))


def quoted(value: str | bytes) -> str:
    """Text or octets in double quotes, unless single ones need fewer backslashes."""
    text = repr(value)
    prefix, quote, inside = ("b", text[1], text[2:-1]) if isinstance(value, bytes) else ("", text[0], text[1:-1])
    doubles = inside.count('"')
    if quote == '"' or doubles > inside.count("'"):
        return text
    inside = re.sub(r"\\(.)|\"", lambda found: "'" if found[1] == "'" else '\\"' if not found[1] else found[0], inside)
    return f'{prefix}"{inside}"'


def _number(word: str) -> str:
    """A number as it was typed: hexadecimal stays so, in ruff's letters."""
    lower = word.lower()
    return f"0x{lower[2:].upper()}" if lower.startswith("0x") else lower
