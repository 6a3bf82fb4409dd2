"""The expressions of `send TCP(flags="SF", seq=x+7)/b"!"`: Scapy's layers, literals, arithmetic, the names at hand.

They are worked out on the parsed tree, node by node. Nothing else of Python is there: no attribute, no call but that of
a layer with its fields by name, no import; nor is anything else of Scapy's, which would look up host names, ask the
neighbours or make sets of packets. Whatever text comes in, an ExpressionError is all that comes out besides a value.

Scapy takes a good part of a second to import. It is imported when the first layer is made, not before.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import zip_longest
from typing import Any, Final, NoReturn, TypeAlias

from lab.explore.expression.grammar import LARGEST, MOST_CHARACTERS, ExpressionError, Tree, read, tokens
from lab.explore.expression.layers import LAYERS, check_behind, check_first
from lab.explore.expression.spelling import spelled
from lab.explore.expression.tryout import MOST_OCTETS, Family, ScapyPacket, check_addresses, check_confined, try_out
from lab.tcp.sequence import Seq

__all__ = ["LAYERS", "ExpressionError", "as_script", "evaluate", "fields", "names_in", "packet"]

Names: TypeAlias = Mapping[str, int | str | bytes | None]
"""The connection's names and their values, Seq among them; None for a number that nobody knows yet."""

_MOST_SHIFT: Final = 64
_USUAL: Final = ("TCP", "IP", "IPv6", "Ether", "UDP", "ICMP")

_NUMBERS: Final[Mapping[type[ast.operator], tuple[str, Callable[[int, int], int]]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
}
_SIGNED: Final[Mapping[type[ast.unaryop], Callable[[int], int]]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}


def evaluate(text: str, names: Names) -> ScapyPacket | int | str | bytes:
    """What an expression comes to: a packet, a number (Seq for a sequence number), text or octets.

    Raises ExpressionError for everything else, whatever the text.
    """
    tree = read(text)
    value = _Evaluation(tree, names).value(tree.root)
    if value is None or isinstance(value, list | tuple):
        what = "None" if value is None else "A list"
        raise ExpressionError(f"{what} is no packet: write for example TCP(options=[…])", tree.at(tree.root))
    return value


def packet(
    text: str,
    names: Names,
    *,
    family: Family,
    server_address: str,
    confined: bool,
    peer_address: str | None = None,
) -> ScapyPacket:
    """The packet that an expression describes, tried out: the lab can complete it and Scapy can build it.

    Fields that the expression does not set stay unset. `family` and the addresses are the connection's. `confined`, on
    every testbed but the sandbox, lets nothing out that is not the peer's own and meant for the server: it is then
    `peer_address` that a source may be, and none may be given without it.

    Raises ExpressionError for everything else, whatever the text.
    """
    value = evaluate(text, names)
    if isinstance(value, str | bytes):
        raise ExpressionError('This is text, not a packet: say data "…" to send text, or put TCP()/ in front of it')
    if isinstance(value, int):
        raise ExpressionError(f"This is {_said(value)}, not a packet: write for example TCP(seq={int(value) % 2**32})")
    check_first(type(value).__name__, family)
    check_addresses(value, family)
    if confined:
        check_confined(value, server_address, peer_address)
    try_out(value, family, server_address)
    return value


def fields(layer: str) -> tuple[str, ...]:
    """The fields of one of LAYERS that an expression may set. For completion; imports Scapy."""
    from lab.explore.expression.fields import names_of

    return names_of(layer)


def names_in(text: str) -> set[str]:
    """The names in a text, those of layers among them, those of fields not. Takes unfinished text; never raises."""
    found: set[str] = set()
    words = list(tokens(text[:MOST_CHARACTERS]))
    for word, following in zip_longest(words, words[1:]):
        if word.kind == "name" and not (following is not None and following.text == "="):
            found.add(word.text)
    return found - {"None"}


def as_script(text: str, names: Mapping[str, str]) -> str:
    """The expression as it stands in a scenario script, in one line, blanks and quotes as in `scenarios/`.

    `names` says how a script spells the connection's names: {"snd_nxt": "peer.snd_nxt"}. Others stay as they are. The
    layers have to be imported there: `names_in(text) & LAYERS.keys()`, from the modules that LAYERS gives.

    Raises ExpressionError for a text that is no expression.
    """
    return spelled(read(text), names)


class _Evaluation:
    """One expression, worked out from the leaves up. Every step's result is bounded before it is made."""

    def __init__(self, tree: Tree, names: Names) -> None:
        self.tree = tree
        self.names = names

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | float() | complex() as value):
                return self._refuse(f"{value!r} is no field's value: write a whole number", node)
            case ast.Constant(value=int() as value):
                return self._bounded(value, node)
            case ast.Constant(value=None | str() | bytes() as value):
                return value
            case ast.Name(id=name):
                return self._named(name, node)
            case ast.Call():
                return self._layer(node)
            case ast.BinOp():
                return self._joined(node)
            case ast.UnaryOp():
                return self._signed(node)
            case ast.List(elts=parts):
                return [self.value(part) for part in parts]
            case ast.Tuple(elts=parts):
                return tuple(self.value(part) for part in parts)
            case _:
                return self._refuse(
                    "This cannot stand here: write layers, numbers, text, arithmetic and the connection's names", node
                )

    # Names and layers

    def _named(self, name: str, node: ast.expr) -> int | str | bytes:
        if name in LAYERS:
            self._refuse(f"{name} is a layer: write {name}()", node)
        if name not in self.names:
            self._refuse(self._unknown(name), node)
        value = self.names[name]
        if value is None:
            self._refuse(f"{name} is not known yet: go on with the connection first, or write a number", node)
        return value

    def _layer(self, node: ast.Call) -> ScapyPacket:
        if not isinstance(node.func, ast.Name):
            self._refuse("Only a layer takes brackets behind it: write TCP(…)", node)
        name = node.func.id
        if name not in LAYERS:
            known = name in self.names
            self._refuse(
                f"{name} is a value, and only a layer takes brackets behind it: write TCP(…)"
                if known
                else self._unknown(name, called=True),
                node,
            )
        if node.args:
            self._refuse(
                f'Say which field of {name} this is, as in TCP(flags="S"): each one needs its name', node.args[0]
            )
        from lab.explore.expression.fields import Given, make

        given: dict[str, Given] = {}
        for field in node.keywords:
            if field.arg is None or field.arg in given:
                self._refuse(f"{name} has {field.arg or '**'} twice: set each field once", field)
            given[field.arg] = Given(self.value(field.value), self.tree.at(field.value), self.tree.at(field))
        return make(name, given, self.tree.at(node))

    def _unknown(self, name: str, *, called: bool = False) -> str:
        shown = name if len(name) <= 30 else f"{name[:29]}…"
        known = [*LAYERS] if called else [*LAYERS, *self.names]
        by_lower = {one.lower(): one for one in known}
        near = get_close_matches(name.lower(), by_lower, 1)
        if near:
            return f"There is no {shown} here: did you mean {by_lower[near[0]]}?"
        if called or not self.names:
            return f"There is no {shown} here: write a layer such as {', '.join(_USUAL)} or Raw"
        return f"There is no {shown} here: the connection's names are {', '.join(self.names)}"

    # Arithmetic

    def _signed(self, node: ast.UnaryOp) -> int:
        value = self.value(node.operand)
        if not isinstance(value, int) or type(node.op) not in _SIGNED:
            self._refuse(f"A sign goes before a number, not before {_said(value)}", node)
        return self._bounded(_SIGNED[type(node.op)](value), node)

    def _joined(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Div):
            return self._stacked(left, right, node)
        if type(node.op) not in _NUMBERS:
            self._refuse("There is no such operator here: + - * // % << >> & | ^ are", node)
        sign, work = _NUMBERS[type(node.op)]
        if isinstance(left, int) and isinstance(right, int):
            return self._reckoned(sign, work, left, right, node)
        if sign == "*" and isinstance(right, str | bytes) and isinstance(left, int):
            left, right = right, left
        if sign == "*" and isinstance(left, str | bytes) and isinstance(right, int):
            if (size := len(left) * int(right)) > MOST_OCTETS:
                self._too_long(size, node)
            return left * int(right)
        if sign == "+" and isinstance(left, str | bytes) and isinstance(right, type(left)):
            if len(left) + len(right) > MOST_OCTETS:
                self._too_long(len(left) + len(right), node)
            return left + right  # type: ignore[operator]
        if _is_packet(left) and isinstance(node.left, ast.BinOp):
            self._refuse(
                f'/ comes before this {sign}: put brackets around what follows it, as in TCP()/(b"x" * 3)', node
            )
        wrong = f"{_said(left)} {sign} {_said(right)} makes no sense"
        return self._refuse(f"{wrong[0].upper()}{wrong[1:]}: {sign} joins two numbers{_also(sign)}", node)

    def _reckoned(self, sign: str, work: Callable[[int, int], int], left: int, right: int, node: ast.BinOp) -> int:
        if sign in ("//", "%") and right == 0:
            self._refuse("Nothing can be divided by 0", node)
        if sign in ("<<", ">>") and not 0 <= int(right) <= _MOST_SHIFT:
            self._refuse(f"{sign} moves bits by 0 to {_MOST_SHIFT} places, not by {int(right)}", node)
        if sign == "+" and isinstance(left, Seq) and isinstance(right, Seq):
            self._refuse(
                "Two sequence numbers cannot be added: add a count of octets, or take their distance with -", node
            )
        return self._bounded(work(left, right), node)

    def _stacked(self, lower: Any, upper: Any, node: ast.BinOp) -> ScapyPacket:
        at = self.tree.at(node.right)
        if isinstance(lower, int) and isinstance(upper, int):
            self._refuse("/ puts one layer upon another: numbers are divided with //", node)
        if not _is_packet(lower):
            self._refuse(f"/ puts something upon a layer, not upon {_said(lower)}: write TCP()/…", node)
        from lab.explore.expression.fields import Given, make, octets, said

        if isinstance(upper, str | bytes):
            upper = make("Raw", {"load": Given(octets("The data", upper, at), at, at)}, at)
        elif not _is_packet(upper):
            raise ExpressionError(f'/ puts a layer or text upon a layer, not {_said(upper)}: write TCP()/b"…"', at)
        check_behind(type(lower.lastlayer()).__name__, type(upper).__name__, at)
        try:
            return lower / upper
        except Exception as error:  # Scapy raises whatever it comes across
            raise ExpressionError(said(error), at) from error

    def _bounded(self, value: int, node: ast.expr) -> int:
        if not -LARGEST <= int(value) <= LARGEST:  # a Seq refuses < and >
            self._refuse("This comes to more than 2 to the 64: no field has room for it", node)
        return value

    def _too_long(self, size: int, node: ast.expr) -> NoReturn:
        self._refuse(f"This text would be {size:,} octets long: a packet holds {MOST_OCTETS:,}", node)

    def _refuse(self, sentence: str, node: ast.AST) -> NoReturn:
        raise ExpressionError(sentence, self.tree.at(node))


def _is_packet(value: Any) -> bool:
    return not (value is None or isinstance(value, int | str | bytes | list | tuple))


def _said(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, int):
        return f"the number {int(value)}"
    if isinstance(value, str | bytes):
        return "text" if isinstance(value, str) else "octets"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__


def _also(sign: str) -> str:
    return {"+": ", or text with text", "*": ", or repeats text"}.get(sign, "")
