"""RFC 9293's state machine as text: every arrow of figure 5, lines that join, and who has walked where."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from lab.report.canvas import JOINTS
from lab.report.diagram import ARROWS, Way, diagram
from lab.report.terminal import STYLES
from lab.report.text import ASCII, UNICODE, Glyphs, Line, plain, width_of
from lab.tcp.state import TABLE, Event, State

S, E = State, Event
PICTURES = Path(__file__).parent / "pictures"

FIGURE_5 = [
    (S.CLOSED, E.PASSIVE_OPEN, "passive OPEN / create TCB", S.LISTEN),
    (S.CLOSED, E.ACTIVE_OPEN, "active OPEN / create TCB, snd SYN", S.SYN_SENT),
    (S.LISTEN, E.CLOSE, "CLOSE / delete TCB", S.CLOSED),
    (S.LISTEN, E.SEND, "SEND / snd SYN", S.SYN_SENT),
    (S.LISTEN, E.RCV_SYN, "rcv SYN / snd SYN,ACK", S.SYN_RECEIVED),
    (S.SYN_SENT, E.CLOSE, "CLOSE / delete TCB", S.CLOSED),
    (S.SYN_SENT, E.RCV_SYN, "rcv SYN / snd SYN,ACK", S.SYN_RECEIVED),
    (S.SYN_SENT, E.RCV_SYN_ACK, "rcv SYN,ACK / snd ACK", S.ESTABLISHED),
    (S.SYN_RECEIVED, E.RCV_RST_PASSIVE, "rcv RST after passive OPEN", S.LISTEN),
    (S.SYN_RECEIVED, E.RCV_ACK_OF_SYN, "rcv ACK of SYN", S.ESTABLISHED),
    (S.SYN_RECEIVED, E.CLOSE, "CLOSE / snd FIN", S.FIN_WAIT_1),
    (S.ESTABLISHED, E.CLOSE, "CLOSE / snd FIN", S.FIN_WAIT_1),
    (S.ESTABLISHED, E.RCV_FIN, "rcv FIN / snd ACK", S.CLOSE_WAIT),
    (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN, "rcv ACK of FIN", S.FIN_WAIT_2),
    (S.FIN_WAIT_1, E.RCV_FIN, "rcv FIN / snd ACK", S.CLOSING),
    (S.FIN_WAIT_1, E.RCV_FIN_AND_ACK_OF_FIN, "rcv FIN and ACK of FIN / snd ACK", S.TIME_WAIT),
    (S.FIN_WAIT_2, E.RCV_FIN, "rcv FIN / snd ACK", S.TIME_WAIT),
    (S.CLOSE_WAIT, E.CLOSE, "CLOSE / snd FIN", S.LAST_ACK),
    (S.CLOSING, E.RCV_ACK_OF_FIN, "rcv ACK of FIN", S.TIME_WAIT),
    (S.LAST_ACK, E.RCV_ACK_OF_FIN, "rcv ACK of FIN", S.CLOSED),
    (S.TIME_WAIT, E.TIME_WAIT_TIMEOUT, "timeout=2MSL / delete TCB", S.CLOSED),
]
"""The figure's arrows with its words, and those of its notes 1 and 2."""

OPENED = Way("lab", "peer", (S.CLOSED, S.SYN_SENT)), Way("server", "server", (S.CLOSED, S.LISTEN))
CLIENT_FIRST = (
    Way("lab", "peer", (S.CLOSED, S.SYN_SENT, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.TIME_WAIT)),
    Way(
        "server",
        "server",
        (S.CLOSED, S.LISTEN, S.SYN_RECEIVED, S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED),
        (E.PASSIVE_OPEN, E.RCV_SYN, E.RCV_ACK_OF_SYN, E.RCV_FIN, E.CLOSE, E.RCV_ACK_OF_FIN),
    ),
)
_AT_ONCE = (S.CLOSED, S.SYN_SENT, S.SYN_RECEIVED, S.ESTABLISHED, S.FIN_WAIT_1, S.CLOSING, S.TIME_WAIT)
AT_ONCE = Way("lab", "peer", _AT_ONCE), Way("server", "server", _AT_ONCE)

DRAWN: dict[str, tuple[tuple[Way, ...], int, Glyphs]] = {
    "nothing_walked": ((), 80, UNICODE),
    "client_after_open": (OPENED, 80, UNICODE),
    "four_segments_client_first": (CLIENT_FIRST, 80, UNICODE),
    "simultaneous_open_and_close": (AT_ONCE, 80, UNICODE),
    "sixty_columns": (CLIENT_FIRST, 60, UNICODE),
    "ascii": (CLIENT_FIRST, 80, ASCII),
    "ascii_sixty_columns": (OPENED, 60, ASCII),
}


def rows_of(lines: list[Line]) -> list[str]:
    """The rows of the figure alone, filled with blanks to its width."""
    rows = plain(lines).split("\n\n")[0].split("\n")
    return [row.ljust(81) for row in rows]


def arms(sign: str) -> dict[str, int]:
    """The arms of a box-drawing sign by Unicode's name of it: 1 light, 2 heavy, nothing for other signs."""
    if not "─" <= sign <= "╿":
        return {}
    found: dict[str, int] = {}
    name = unicodedata.name(sign).removeprefix("BOX DRAWINGS ")
    weight = 1 if name.startswith("LIGHT") else 2
    for part in name.split(" AND "):
        weight = 1 if "LIGHT" in part else 2 if "HEAVY" in part else weight
        for word in part.split():
            for way in {"HORIZONTAL": ("LEFT", "RIGHT"), "VERTICAL": ("UP", "DOWN")}.get(word, (word,)):
                if way in STEPS:
                    found[way] = weight
    return found


STEPS = {"UP": (0, -1, "DOWN"), "RIGHT": (1, 0, "LEFT"), "DOWN": (0, 1, "UP"), "LEFT": (-1, 0, "RIGHT")}
HEADS = {"▲": "UP", "►": "RIGHT", "▼": "DOWN", "◄": "LEFT"}


@pytest.mark.parametrize("name", DRAWN)
def test_it_looks_as_its_stored_picture(name: str) -> None:
    ways, width, glyphs = DRAWN[name]
    drawn = plain(diagram(ways, width=width, glyphs=glyphs)) + "\n"
    assert drawn == (PICTURES / f"diagram_{name}.txt").read_text(encoding="utf-8")


def test_every_joint_is_named_so_by_unicode() -> None:
    assert len(JOINTS) == 81
    for place, sign in enumerate(JOINTS):
        up, right, down, left = (place // 27, place // 9 % 3, place // 3 % 3, place % 3)
        wanted = {"UP": up, "RIGHT": right, "DOWN": down, "LEFT": left}
        assert arms(sign) == {way: weight for way, weight in wanted.items() if weight}


def test_the_figure_has_the_arrows_of_figure_5_and_no_other() -> None:
    assert {(a.start, a.event, a.transition.to) for a in ARROWS} == {(s, e, to) for s, e, _, to in FIGURE_5}
    assert len(ARROWS) == len(FIGURE_5)


def test_figure_and_what_is_told_below_are_the_table() -> None:
    below = plain(diagram((), width=80)).split("Not in the figure\n")[1]
    told: dict[tuple[State, Event], tuple[State, str]] = {}
    for line in re.sub(r"\n {4}", " ", below).splitlines():
        found = re.fullmatch(r"  (.+?)(?: / snd (\S+))?: (all but )?(.+) → (\S+)", line)
        assert found is not None, line
        event, sends, but, where, to = found.groups()
        named = {State(name) for name in where.split(", ")}
        for state in set(State) - named if but else named:
            told[state, Event(event)] = State(to), sends or ""
    drawn = {(start, event) for start, event, _, _ in FIGURE_5}
    assert not drawn & set(told)
    beside = {(s, e): (t.to, t.sends) for s, row in TABLE.items() for e, t in row.items() if (s, e) not in drawn}
    assert told == beside


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(("start", "event", "words", "to"), FIGURE_5, ids=lambda value: str(value))
def test_an_arrow_walked_is_heavy_from_box_to_box_with_its_words(
    start: State, event: Event, words: str, to: State, width: int
) -> None:
    lines = diagram([Way("lab", "peer", (start, to), (event,))], width=width, beside=False)
    rows = rows_of(lines)
    figure = lines[: len(rows)]
    # The words, and they alone, are in the walker's style, the names of the two boxes and of the end beside them.
    styled = " ".join(text for line in figure for text, style in line if style == "peer")
    said = re.sub(r"[^\w,=/ -]", " ", styled).split()
    assert sorted(said) == sorted([*words.split(), start, "lab", *([to] if width == 60 else [])])
    # Heavy lines outside the heavy box: from the start's border, cell by cell, to the head before the end's border.
    heavy = {(x, y): a for y, row in enumerate(rows) for x, c in enumerate(row) if 2 in (a := arms(c)).values()}
    first = [p for p, a in heavy.items() if 1 in a.values() and _in_box(rows, p, start)]
    assert len(first) == 1
    (x, y), [way] = first[0], [way for way, weight in heavy[first[0]].items() if weight == 2]
    while rows[y][x] not in HEADS:
        over, down, back = STEPS[way]
        x, y = x + over, y + down
        if rows[y][x] not in HEADS:
            ways = [w for w, weight in heavy[x, y].items() if weight == 2 and w != back]
            assert len(ways) == 1, "a heavy line forks"
            way = ways[0]
    assert HEADS[rows[y][x]] == way
    if width == 60:
        assert rows[y][x + 1 :].split()[0] == to
    else:
        over, down, _ = STEPS[way]
        assert _in_box(rows, (x + over, y + down), to)


def _in_box(rows: list[str], point: tuple[int, int], state: State) -> bool:
    """Whether a cell belongs to a box of that name, its border included."""
    x, y = point
    for top in range(max(y - 3, 0), y + 1):
        for found in re.finditer(rf"[│┃├┤┝┥┠┨┣┫][ ●○]*{state} *[│┃├┤┝┥┠┨┣┫]", rows[top + 1]):
            bottom = next(row for row in range(top + 2, len(rows)) if rows[row][found.start()] in "└┗")
            if found.start() <= x < found.end() and top <= y <= bottom:
                return True
    return False


@pytest.mark.parametrize("name", [name for name, (_, _, glyphs) in DRAWN.items() if glyphs is UNICODE])
def test_lines_join_in_every_cell(name: str) -> None:
    ways, width, glyphs = DRAWN[name]
    rows = rows_of(diagram(ways, width=width, glyphs=glyphs))
    rows = [" " * 82, *(f" {row}" for row in rows), " " * 82]
    for y, row in enumerate(rows):
        for x, sign in enumerate(row):
            for way, weight in arms(sign).items():
                over, down, back = STEPS[way]
                next_to = rows[y + down][x + over]
                if next_to in HEADS:
                    assert HEADS[next_to] == way, (name, x, y)
                else:
                    assert arms(next_to).get(back) == weight, (name, x, y, sign, next_to)
            if sign in HEADS and rows[y][x + 1] != " ":
                over, down, back = STEPS[HEADS[sign]]
                border = set(arms(rows[y + down][x + over]))
                assert border >= ({"UP", "DOWN"} if over else {"LEFT", "RIGHT"}), (name, x, y)


@pytest.mark.parametrize("width", [60, 80])
def test_ascii_is_the_same_picture_sign_by_sign(width: int) -> None:
    rows = rows_of(diagram(CLIENT_FIRST, width=width))
    in_ascii = rows_of(diagram(CLIENT_FIRST, width=width, glyphs=ASCII))
    likeness = {"●": "*", "○": "o", "▲": "^", "▼": "v", "►": ">", "◄": "<"}
    for row, other in zip(rows, in_ascii, strict=True):
        assert "".join(_in_ascii(sign) or likeness.get(sign, sign) for sign in row) == other


def _in_ascii(sign: str) -> str:
    found = arms(sign)
    if found.keys() == {"LEFT", "RIGHT"}:
        return "=" if 2 in found.values() else "-"
    if found.keys() == {"UP", "DOWN"}:
        return "#" if 2 in found.values() else "|"
    return "" if not found else "#" if set(found.values()) == {2} else "+"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [10, 60, 61, 79, 80, 81, 120, 300])
def test_no_line_is_wider_than_asked(width: int, glyphs: Glyphs) -> None:
    for ways in ((), OPENED, CLIENT_FIRST, AT_ONCE):
        lines = diagram(ways, width=width, glyphs=glyphs)
        assert max(width_of(line) for line in lines) <= max(width, 60)
        assert {style for line in lines for _, style in line} <= set(STYLES)
        assert glyphs is UNICODE or plain(lines).isascii()


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("state", State)
def test_both_ends_are_named_at_any_state(state: State, width: int) -> None:
    drawn = plain(diagram([Way("lab", "peer", (state,)), Way("server", "server", (state,))], width=width))
    assert drawn.count("◄ lab, server") == 1
    assert "●" not in drawn


def test_what_both_walked_is_bold_and_bears_both_signs() -> None:
    spans = [span for line in diagram(AT_ONCE) for span in line]
    assert ("●○ rcv FIN / snd ACK", "head") in spans
    assert ("rcv SYN,ACK / snd ACK", "dim") in spans


def test_what_led_somewhere_is_told_where_only_one_thing_can_have() -> None:
    ways = [Way("lab", "peer", (S.CLOSED, S.LISTEN, S.SYN_SENT, S.SYN_SENT, S.CLOSED, S.LISTEN))]
    told = plain(diagram(ways, beside=False)).splitlines()
    # From LISTEN to SYN-SENT leads SEND as well as an active OPEN, to CLOSED more than a CLOSE.
    assert told[-2:] == [
        "lab  CLOSED → LISTEN (passive OPEN) → SYN-SENT → SYN-SENT → CLOSED",
        "     → LISTEN (passive OPEN)",
    ]


def test_a_refused_syn_walks_no_arrow_of_the_figure() -> None:
    states = (S.CLOSED, S.SYN_SENT, S.CLOSED)
    told = diagram([Way("lab", "peer", states, (E.ACTIVE_OPEN, E.RCV_RST))], beside=False)
    assert plain(told).endswith("CLOSED → SYN-SENT (active OPEN) → CLOSED (rcv RST)")
    assert "● CLOSE / delete TCB" not in plain(told)
    assert "● CLOSE / delete TCB" in plain(diagram([Way("lab", "peer", states)]))


def test_a_connection_that_was_open_ends_in_the_lower_closed() -> None:
    reset = plain(diagram([Way("server", "server", (S.ESTABLISHED, S.CLOSED))])).splitlines()
    assert next(i for i, row in enumerate(reset) if "◄ server" in row) == 42
    refused = plain(diagram([Way("server", "server", (S.LISTEN, S.CLOSED))])).splitlines()
    assert next(i for i, row in enumerate(refused) if "◄ server" in row) == 2


def test_names_too_long_for_a_box_are_cut() -> None:
    ways = [Way("Alexandra", "peer", (S.LISTEN,)), Way("Bartholomew", "server", (S.LISTEN,))]
    assert "┃◄ Alex…, Bart… ┃" in plain(diagram(ways))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="two ends, not 3"):
        diagram([OPENED[0]] * 3)
    with pytest.raises(ValueError, match="1 events cannot lead through 1 states"):
        Way("lab", "peer", (S.CLOSED,), (E.ACTIVE_OPEN,))
