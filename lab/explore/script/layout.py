"""Lines of a script, laid out as the formatter of `scenarios/` has them."""

from __future__ import annotations

import re

WIDTH = 120
"""Columns of a line."""
_INDENT = " " * 4
_LITERAL = re.compile(r"""b"(?:[^"\\]|\\.)*"|b'(?:[^'\\]|\\.)*'""")
_CARRIES = re.compile(rf"(TCP\([^/]*\)) / ({_LITERAL.pattern})")
_CALL = re.compile(r"((?:\w+ = )?[\w.]+\()(.*)(\)(?:\.seq)?)")


def laid_out(line: str, indent: str) -> list[str]:
    """A call in as many lines as it takes, each behind `indent`."""
    if len(indent) + len(line) <= WIDTH or (call := _CALL.fullmatch(line)) is None:
        return [indent + line]
    head, inside, tail = call.groups()
    more = indent + _INDENT
    if len(more) + len(inside) <= WIDTH:
        return [indent + head, more + inside, indent + tail]
    lost = ", lost=True"
    argument = inside.removesuffix(lost)
    lines = _argument(argument, more)
    if argument != inside:
        return [indent + head, *lines[:-1], f"{lines[-1]},", f"{more}{lost[2:]},", indent + tail]
    return [indent + head, *lines, indent + tail]


def _argument(text: str, indent: str) -> list[str]:
    """One argument that does not fit a line: the octets in it are cut."""
    if _LITERAL.fullmatch(text):
        return pieces(text, indent)
    if found := _CARRIES.fullmatch(text):
        inner = indent + _INDENT
        if len(f"{indent}/ ({found[2]})") <= WIDTH:
            return [indent + found[1], f"{indent}/ {found[2]}"]
        return [indent + found[1], f"{indent}/ (", *pieces(found[2], inner), f"{indent})"]
    operands = text.split(" / ")
    return [indent + operands[0], *(f"{indent}/ {each}" for each in operands[1:])]


def pieces(literal: str, indent: str) -> list[str]:
    """A literal of octets in pieces that stand below each other, cut behind the ends of lines where it has some."""
    body = literal[2:-1] if literal[1] == '"' else literal[2:-1].replace("\\'", "'").replace('"', '\\"')
    most = WIDTH - len(indent) - 3
    cut = [""]
    for unit in re.findall(r"\\x[0-9a-f]{2}|\\.|.", body):
        ends = cut[-1].endswith("\\r\\n") and len(cut[-1]) > most // 2
        if ends or len(cut[-1]) + len(unit) > most:
            cut.append("")
        cut[-1] += unit
    return [f'{indent}b"{piece}"' for piece in cut]
