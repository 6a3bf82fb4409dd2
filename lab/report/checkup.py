"""What `lab doctor` found, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.report.text import Glyphs, Line, count, wrapped

if TYPE_CHECKING:
    from lab.doctor import Check


def checkup(checks: Sequence[Check], ready: bool, *, width: int, glyphs: Glyphs) -> list[Line]:
    """A line for each check; below what is amiss, what that costs and how to mend it; the conclusion last.

    Kernel settings that are as they should be share a line.
    """
    signs = {"ok": (glyphs.check, "good"), "note": (glyphs.warn, "warn"), "missing": (glyphs.cross, "bad")}
    plain = [check for check in checks if check.standing == "ok" and "." in check.name]
    told = [check for check in checks if check not in plain]
    column = max((len(check.name) for check in told if "." not in check.name), default=0)
    lines: list[Line] = []
    for check in told:
        sign, style = signs[check.standing]
        quiet = "" if check.standing == "ok" else style
        name = f" {check.name.ljust(column)}  " if "." not in check.name else f" {check.name} = "
        room = width - len(name) - 3
        (first, _), *more = [line[0] for line in wrapped(check.found, room)]
        lines.append([("  ", ""), (sign, style), (name, ""), (first, quiet)])
        lines += [[(" " * (len(name) + 3), ""), (text, quiet)] for text, _ in more]
        if check.costs:
            lines += wrapped(check.costs, width, style="dim", first="      costs  ")
        if check.mend:
            lines.append([("      mend   ", "dim"), (check.mend, "head")])  # never wrapped: it is to be copied
    if plain:
        lines.append(
            [("  ", ""), signs["ok"], (f" {count(len(plain), 'kernel setting')} as the scenarios expect them", "")]
        )
    lines.append([])
    if ready:
        lines.append([(f"{glyphs.check} ready: ", "good"), ("lab run", "head"), (" works as it is", "")])
    else:
        lines.append(
            [(f"{glyphs.cross} not ready: ", "bad"), ("lab run", "head"), (" needs what is missing above", "")]
        )
    return lines
