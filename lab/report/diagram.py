"""RFC 9293's connection state machine (figure 5, §3.3.2) as text, with the ways that the ends have walked on it.

The picture is data: `PLACES` says where the boxes stand, `ARROWS` which way each arrow runs and where its words stand.
Where an arrow leads and what is sent on it is read from `lab.tcp.state.TABLE`. A terminal of less than 80 columns gets
the same boxes one below the other.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.report.canvas import Canvas, Point, style_of, trace
from lab.report.ladder import NARROWEST, STATE, WIDEST
from lab.report.text import UNICODE, Glyphs, Line, cut, width_of, wrapped
from lab.tcp.state import SYNCHRONIZED, TABLE, Event, State, Transition

FIGURE = 80
"""Columns of the figure; in fewer the boxes stand one below the other."""
BOX = 17
"""Columns of a box, its border included: a state and two signs, or "◄ lab, server"."""

Station = tuple[State, bool]
"""A box: its state, and whether it is the lower one of the figure's two CLOSED."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way that one end has walked."""

    who: str
    """"lab" or "server": what the end is called."""
    style: str
    """"peer" or "server": its style in `lab.report.terminal.STYLES`."""
    states: tuple[State, ...]
    """Every state it has been in, in order; the last is the current one. Empty: nothing is known."""
    events: tuple[Event | None, ...] = ()
    """What led from each state to the next, None where that is not known; one fewer than `states`, or none at all.

    Where it is not known and the figure has an arrow between the two, that one is taken: only an event can tell a
    refused SYN from a CLOSE in SYN-SENT.
    """

    def __post_init__(self) -> None:
        if self.events and len(self.events) != len(self.states) - 1:
            raise ValueError(f"{len(self.events)} events cannot lead through {len(self.states)} states")

    @property
    def steps(self) -> Iterator[tuple[State, State, Event | None]]:
        """From where, to where, and on what: as told, or the only arrow that there is between the two."""
        known = self.events or (None,) * len(self.states)
        for (start, to), event in zip(pairwise(self.states), known, strict=False):
            between = [e for e, arrow in TABLE[start].items() if arrow.to is to]
            yield start, to, event or (between[0] if len(between) == 1 else None)


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow of the figure: what starts it, which way it runs, and where its words stand."""

    start: State
    event: Event
    path: tuple[Point, ...]
    """Where it bends. It begins and ends inside its two boxes, where it is hidden, however high they stand."""
    words: Point
    """Where the words begin, or where they end if `before`."""
    rows: tuple[int, ...]
    """The rows that the words take: one, or the last of them for what is done on the event."""
    before: bool = False
    broken: int = 40
    """Columns at which the event's own words are broken."""
    tcb: str = ""
    """What the figure says of the transmission control block here."""

    @property
    def transition(self) -> Transition:
        """Its line in the table."""
        return TABLE[self.start][self.event]

    @property
    def to(self) -> Station:
        """The box at which it ends."""
        return _station(self.transition.to, self.start)

    @property
    def action(self) -> str:
        """What is done on the way, "" for nothing, which the figure writes as "x"."""
        sends = self.transition.sends
        return ", ".join(filter(None, (self.tcb, sends and f"snd {sends}")))


_S, _E = State, Event
_CREATE, _DELETE = "create TCB", "delete TCB"

PLACES: dict[Station, Point] = {
    (_S.CLOSED, False): (29, 0),
    (_S.LISTEN, False): (29, 7),
    (_S.SYN_RECEIVED, False): (0, 14),
    (_S.SYN_SENT, False): (63, 14),
    (_S.ESTABLISHED, False): (29, 21),
    (_S.FIN_WAIT_1, False): (0, 26),
    (_S.CLOSE_WAIT, False): (63, 26),
    (_S.FIN_WAIT_2, False): (0, 33),
    (_S.CLOSING, False): (29, 33),
    (_S.LAST_ACK, False): (63, 33),
    (_S.TIME_WAIT, False): (29, 40),
    (_S.CLOSED, True): (63, 40),
}
"""The top left corners of the boxes. A box is three rows high; four where an end is now: the row below is kept free."""

ARROWS = (
    Arrow(_S.CLOSED, _E.PASSIVE_OPEN, ((33, 1), (33, 8)), (31, 4), (4, 5), before=True, tcb=_CREATE),
    Arrow(_S.CLOSED, _E.ACTIVE_OPEN, ((37, 1), (76, 1), (76, 15)), (48, 0), (0, 2), tcb=_CREATE),
    Arrow(_S.LISTEN, _E.CLOSE, ((41, 8), (41, 1)), (43, 6), (6,), tcb=_DELETE),
    Arrow(_S.LISTEN, _E.RCV_SYN, ((33, 8), (33, 12), (14, 12), (14, 15)), (31, 11), (11,), before=True),
    Arrow(_S.LISTEN, _E.SEND, ((41, 8), (41, 12), (66, 12), (66, 15)), (43, 11), (11,)),
    Arrow(_S.SYN_SENT, _E.CLOSE, ((71, 15), (71, 5), (41, 5), (41, 1)), (69, 4), (4,), before=True, tcb=_DELETE),
    Arrow(_S.SYN_SENT, _E.RCV_SYN, ((71, 15), (8, 15)), (27, 14), (14,)),
    Arrow(_S.SYN_SENT, _E.RCV_SYN_ACK, ((71, 15), (71, 19), (41, 19), (41, 22)), (69, 18), (18,), before=True),
    Arrow(_S.SYN_RECEIVED, _E.RCV_RST_PASSIVE, ((2, 15), (2, 8), (37, 8)), (4, 6), (6, 7), broken=18),
    Arrow(_S.SYN_RECEIVED, _E.RCV_ACK_OF_SYN, ((14, 15), (14, 19), (33, 19), (33, 22)), (16, 18), (18,)),
    Arrow(_S.SYN_RECEIVED, _E.CLOSE, ((2, 15), (2, 27)), (4, 23), (23, 24)),
    Arrow(_S.ESTABLISHED, _E.CLOSE, ((37, 22), (14, 22), (14, 27)), (27, 21), (21,), before=True),
    Arrow(_S.ESTABLISHED, _E.RCV_FIN, ((37, 22), (71, 22), (71, 27)), (47, 21), (21,)),
    Arrow(_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN, ((2, 27), (2, 34)), (4, 31), (31,)),
    Arrow(_S.FIN_WAIT_1, _E.RCV_FIN, ((8, 27), (41, 27), (41, 34)), (19, 26), (26,)),
    Arrow(
        _S.FIN_WAIT_1,
        _E.RCV_FIN_AND_ACK_OF_FIN,
        ((14, 27), (14, 30), (22, 30), (22, 38), (33, 38), (33, 41)),
        (24, 30),
        (30, 31, 32),
        broken=14,
    ),
    Arrow(_S.FIN_WAIT_2, _E.RCV_FIN, ((2, 34), (2, 41), (37, 41)), (4, 40), (40,)),
    Arrow(_S.CLOSE_WAIT, _E.CLOSE, ((65, 27), (65, 34)), (67, 30), (30, 31)),
    Arrow(_S.CLOSING, _E.RCV_ACK_OF_FIN, ((41, 34), (41, 41)), (43, 38), (38,)),
    Arrow(_S.LAST_ACK, _E.RCV_ACK_OF_FIN, ((65, 34), (65, 41)), (67, 37), (37, 38), broken=9),
    Arrow(_S.TIME_WAIT, _E.TIME_WAIT_TIMEOUT, ((37, 41), (71, 41)), (47, 40), (40, 42), tcb=_DELETE),
)
"""Figure 5, arrow by arrow, with those of its notes 1 and 2. Note 3, RST, is told below."""

_FIGURES_WORD = {_E.TIME_WAIT_TIMEOUT: "timeout=2MSL"}
"""Events that the figure calls by another name than the table."""


@dataclass(frozen=True, slots=True)
class _Walked:
    """What of the figure one end has walked, and the sign by which it is known without colour."""

    way: Way
    sign: str
    been: frozenset[Station]
    now: Station | None
    arrows: frozenset[Arrow]


def diagram(ways: Sequence[Way], *, width: int = 80, glyphs: Glyphs = UNICODE, beside: bool = True) -> list[Line]:
    """Figure 5 with the ways walked on it, in at most `width` columns (60 at least).

    Below it a line for each end with its states in order; and, unless `beside` is false, the arrows that the figure
    leaves out: RST, ABORT, timeouts. Raises ValueError for more than two ways: a connection has two ends.
    """
    if len(ways) > 2:
        raise ValueError(f"a connection has two ends, not {len(ways)}")
    width = min(max(width, NARROWEST), WIDEST)
    signs = "*o" if glyphs.life.isascii() else "●○"
    walked = [_walk(way, sign) for way, sign in zip(ways, signs, strict=False)]
    lines = _figure(walked, glyphs) if width >= FIGURE else _list(walked, glyphs)
    if any(way.states for way in ways):
        lines += [[], *_legend(walked, width, glyphs)]
        names = max(len(way.who) for way in ways) + 2
        for way in ways:
            lines += _told(way, names, width, glyphs)
    return lines + ([[], *_beside(width, glyphs)] if beside else [])


def _station(state: State, before: State | None) -> Station:
    """The box of a state: the lower CLOSED is where a connection ends that was synchronized."""
    return state, state is State.CLOSED and before in SYNCHRONIZED


def _walk(way: Way, sign: str) -> _Walked:
    stations: list[Station] = [(state, False) for state in way.states[:1]]
    arrows: set[Arrow] = set()
    for start, to, event in way.steps:
        stations.append(stations[-1] if to is start else _station(to, start))
        arrows |= {a for a in ARROWS if a.start is start and a.transition.to is to and event in (None, a.event)}
    been = {*stations, *((a.start, False) for a in arrows)}
    return _Walked(way, sign, frozenset(been), stations[-1] if stations else None, frozenset(arrows))


def _figure(walked: Sequence[_Walked], glyphs: Glyphs) -> list[Line]:
    """The figure as the RFC lays it out."""
    canvas = Canvas(glyphs)
    insides: dict[Station, set[Point]] = {}
    for station, (x, y) in PLACES.items():
        here = [w for w in walked if w.now == station]
        rows = 4 if here else 3
        insides[station] = {(x + i, y + j) for i in range(1, BOX - 1) for j in range(1, rows - 1)}
        _box(canvas, (x, y), rows, station[0], [w for w in walked if station in w.been], here)
        if here:
            mark = _mark(here, glyphs)
            _write(canvas, (x + (BOX - width_of(mark)) // 2, y + 2), mark)
    for arrow in ARROWS:
        hidden = insides[arrow.start, False] | insides[arrow.to]
        cells = [cell for cell in trace(arrow.path) if cell not in hidden]
        who = [w for w in walked if arrow in w.arrows]
        canvas.arrow(cells[:-1], heavy=bool(who), styles=_styles(who))
        words = _words(arrow, who)
        at = arrow.words[0] - (max(map(len, words)) - 1 if arrow.before else 0)
        for row, text in zip(arrow.rows, words, strict=True):
            canvas.text((at, row), text, style_of(_styles(who)))
    return canvas.lines()


def _list(walked: Sequence[_Walked], glyphs: Glyphs) -> list[Line]:
    """The boxes one below the other, each with its arrows: for a narrow terminal."""
    canvas = Canvas(glyphs)
    y = 0
    for state in State:
        here = [w for w in walked if w.now and w.now[0] is state]
        been = [w for w in walked if {(state, False), (state, True)} & w.been]
        _box(canvas, (0, y), 3, state, been, here)
        if here:
            _write(canvas, (BOX + 1, y + 1), _mark(here, glyphs))
        border = y + 2
        y += 3
        for arrow in (a for a in ARROWS if a.start is state):
            who = [w for w in walked if arrow in w.arrows]
            styles = _styles(who)
            canvas.arrow(trace(((2, border), (2, y), (5, y))), heavy=bool(who), styles=styles)
            canvas.text((7, y), arrow.to[0], style_of(styles) if who else "")
            canvas.text((7 + STATE + 2, y), _sentence(arrow, who), style_of(styles))
            y += 1
    return canvas.lines()


def _box(canvas: Canvas, at: Point, rows: int, state: State, been: Sequence[_Walked], here: Sequence[_Walked]) -> None:
    """A box with the state's name, and the sign of each end that was there and has left."""
    canvas.box(at, BOX, rows, heavy=bool(here), styles=_styles(been))
    name = f"{_signs([w for w in been if w not in here])}{state}"
    style = "head" if here else style_of(_styles(been)) if been else ""
    canvas.text((at[0] + (BOX - len(name)) // 2, at[1] + 1), name, style)


def _styles(walked: Iterable[_Walked]) -> set[str]:
    return {w.way.style for w in walked}


def _signs(walked: Sequence[_Walked]) -> str:
    return "".join(w.sign for w in walked) + " " * bool(walked)


def _mark(here: Sequence[_Walked], glyphs: Glyphs) -> Line:
    """Who is in a box now: "◄ lab, server", cut where the names are longer than a box."""
    room = BOX - 4
    if sum(len(w.way.who) + 2 for w in here) - 2 > room:
        room = room // len(here) - 1
    line: Line = []
    for w in here:
        line += [(", ", "dim"), (cut(w.way.who, room, glyphs), w.way.style)]
    return [(f"{glyphs.left} ", style_of(_styles(here))), *line[1:]]


def _write(canvas: Canvas, at: Point, line: Line) -> None:
    x, y = at
    for text, style in line:
        x = canvas.text((x, y), text, style)


def _sentence(arrow: Arrow, who: Sequence[_Walked]) -> str:
    """The arrow's words as the figure has them: the event, and what is done."""
    event = _signs(who) + _FIGURES_WORD.get(arrow.event, str(arrow.event))
    return f"{event} / {arrow.action}" if arrow.action else event


def _words(arrow: Arrow, who: Sequence[_Walked]) -> list[str]:
    """The same in as many rows as the figure has room for."""
    if len(arrow.rows) == 1:
        return [_sentence(arrow, who)]
    first, *rest = textwrap.wrap(_FIGURES_WORD.get(arrow.event, str(arrow.event)), arrow.broken)
    return [_signs(who) + first, *rest, *([f"/ {arrow.action}"] if arrow.action else [])]


def _legend(walked: Sequence[_Walked], width: int, glyphs: Glyphs) -> list[Line]:
    """What the signs mean."""
    says = [f"{w.sign} {w.way.who} went here" for w in walked if len(w.way.states) > 1]
    says += [f"{glyphs.left} is here now"]
    return wrapped("   ".join(says), width, style="dim")


def _told(way: Way, names: int, width: int, glyphs: Glyphs) -> list[Line]:
    """A way in words: its states in order, and what led to each where that is known."""
    arrow = "->" if glyphs.life.isascii() else "→"
    steps = [str(way.states[0])] if way.states else ["not known"]
    for _, to, event in way.steps:
        steps.append(_kept(f"{arrow} {to} ({event})" if event else f"{arrow} {to}"))
    first, *rest = _wrapped(" ".join(steps), width, first=" " * names)
    return [[(way.who.ljust(names), way.style), (first[0][0][names:], "")], *rest]


def _kept(text: str) -> str:
    """`text` with blanks at which no line is broken."""
    return text.replace(" ", "\u00a0")


def _wrapped(text: str, width: int, *, style: str = "", first: str, then: str | None = None) -> list[Line]:
    lines = wrapped(text, width, style=style, first=first, then=then)
    return [[(piece.replace("\u00a0", " "), style) for piece, style in line] for line in lines]


def _beside(width: int, glyphs: Glyphs) -> list[Line]:
    """The arrows of the table that the figure leaves out: what happens, where, and where that leads."""
    arrow = "->" if glyphs.life.isascii() else "→"
    drawn = {(a.start, a.event) for a in ARROWS}
    groups: dict[tuple[Event, str, State], list[State]] = {}
    for start, row in TABLE.items():
        for event, t in row.items():
            if (start, event) not in drawn:
                groups.setdefault((event, t.sends, t.to), []).append(start)
    lines: list[Line] = [[("Not in the figure", "head")]]
    for (event, sends, to), starts in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        others = [state for state in State if state not in starts]
        where = ", ".join(starts) if len(starts) <= len(others) + 1 else f"all but {', '.join(others)}"
        does = f"{event} / snd {sends}" if sends else str(event)
        *most, last = where.split(", ")
        where = ", ".join([*most, _kept(f"{last} {arrow} {to}")])
        lines += _wrapped(f"{does}: {where}", width, style="dim", first="  ", then="    ")
    return lines
