"""Boxes and lines on a grid of characters: a cell knows the arms that leave it, so that what is drawn always joins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from lab.report.text import Glyphs, Line

Point = tuple[int, int]
"""Column and row, counted from 0 at the top left."""

UP, RIGHT, DOWN, LEFT = range(4)
_WAY = {(0, -1): UP, (1, 0): RIGHT, (0, 1): DOWN, (-1, 0): LEFT}

JOINTS = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"
"""The sign for each four arms: up, right, down, left are the digits of its place to base 3 (1 light, 2 heavy)."""


@dataclass(slots=True)
class _Cell:
    arms: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    styles: set[str] = field(default_factory=set)
    head: int | None = None
    """Which way an arrow ends here."""


class Canvas:
    """A grid. Where two lines share a cell, the heavier one is seen, in both styles."""

    def __init__(self, glyphs: Glyphs) -> None:
        self.ascii = glyphs.life.isascii()
        self._heads = ("^", ">", "v", "<") if self.ascii else ("▲", glyphs.right, "▼", glyphs.left)
        self._cells: dict[Point, _Cell] = {}
        self._text: dict[Point, tuple[str, str]] = {}

    def box(self, at: Point, columns: int, rows: int, *, heavy: bool = False, styles: Iterable[str] = ()) -> None:
        """The border of a box, both sides counted in `columns` and `rows`."""
        (x, y), (right, bottom) = at, (at[0] + columns - 1, at[1] + rows - 1)
        corners = ((x, y), (right, y), (right, bottom), (x, bottom), (x, y))
        self.line(trace(corners), heavy=heavy, styles=styles)

    def arrow(self, cells: Sequence[Point], *, heavy: bool = False, styles: Iterable[str] = ()) -> None:
        """A line through neighbouring cells whose last one is the arrow's head."""
        self.line(cells, heavy=heavy, styles=styles)
        (x, y), (to_x, to_y) = cells[-2], cells[-1]
        self._cells[cells[-1]].head = _WAY[to_x - x, to_y - y]

    def line(self, cells: Sequence[Point], *, heavy: bool = False, styles: Iterable[str] = ()) -> None:
        """A line through neighbouring cells."""
        weight, styles = 1 + heavy, set(styles)
        for a, b in pairwise(cells):
            way = _WAY[b[0] - a[0], b[1] - a[1]]
            for point, arm in ((a, way), (b, (way + 2) % 4)):
                cell = self._cells.setdefault(point, _Cell())
                cell.arms[arm] = max(cell.arms[arm], weight)
                cell.styles |= styles

    def text(self, at: Point, text: str, style: str = "") -> int:
        """Write `text` from a cell on; returns the column behind it."""
        for i, sign in enumerate(text):
            self._text[at[0] + i, at[1]] = sign, style
        return at[0] + len(text)

    def lines(self) -> list[Line]:
        """What is drawn, row by row, without blanks at the ends."""
        drawn = {point: (self._sign(cell), style_of(cell.styles)) for point, cell in self._cells.items()} | self._text
        rows: list[Line] = []
        for y in range(1 + max(y for _, y in drawn)):
            last = max((x for x, row in drawn if row == y), default=-1)
            cells = [drawn.get((x, y), (" ", "")) for x in range(last + 1)]
            rows.append([("".join(s for s, _ in same), style) for style, same in groupby(cells, key=lambda c: c[1])])
        return rows

    def _sign(self, cell: _Cell) -> str:
        if cell.head is not None:
            return self._heads[cell.head]
        up, right, down, left = cell.arms
        if not self.ascii:
            return JOINTS[27 * up + 9 * right + 3 * down + left]
        heavy = 2 in cell.arms
        if not (up or down):
            return "=" if heavy else "-"
        if not (left or right):
            return "#" if heavy else "|"
        return "+" if 1 in cell.arms else "#"


def style_of(styles: set[str]) -> str:
    """The style of what several ends have walked: one's own; bold where both did; dim where nobody was."""
    return "head" if len(styles) > 1 else next(iter(styles), "dim")


def trace(points: Iterable[Point]) -> list[Point]:
    """The cells of a line that bends at the points between its ends, all included."""
    cells: list[Point] = []
    for (x, y), (to_x, to_y) in pairwise(points):
        steps = max(abs(to_x - x), abs(to_y - y))
        over, down = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
        cells += [(x + over * i, y + down * i) for i in range(bool(cells), steps + 1)]
    return cells
