"""The ladder of a run as a picture: one SVG file, needing nothing besides, readable in light and dark.

Two lifelines, a slanted arrow for each packet (sent earlier, arrives later), the states of both ends as bands along
their lifelines. What is known of time is when the frame passed where it was captured: the left end of each arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import atan2, degrees
from typing import Final

from lab.report.carried import Carried, carried
from lab.report.ink import band_class, css, cut_to, quoted, width_of_text, wrapped_to
from lab.report.rungs import (
    REPEATED,
    Repeats,
    ack_of,
    beside_the_point,
    details_of,
    failures_of,
    flags_of,
    folded,
    in_short,
    never_came,
    seq_of,
    shortened,
)
from lab.report.spacing import Scale, apart, ticks, to_scale
from lab.report.text import FAMILIES, UNICODE, count, mark, seconds
from lab.scenario.record import Call, Packet, Result, Verdict
from lab.tcp.state import State

MARGIN: Final = 24.0
SPAN: Final = 430.0
"""Between the lifelines."""
SLANT: Final = 16.0
"""How much lower an arrow ends than it begins."""
STEP: Final = 46.0
"""From one arrow to the next, at least."""
STATES: Final = 116.0
TIMES: Final = 62.0
AXIS: Final = 104.0
"""Columns for states, times and the axis."""
LANE: Final = 8.0
MOST_LANES: Final = 4
"""Of more connections than that no bands are drawn: names say it."""
PAUSE: Final = 0.5
"""Seconds of silence that are told where steps are equal."""
LABEL, SMALL, TINY = 13.0, 11.5, 11.0
LEADING: Final = 15.0
AGAIN: Final = "again"
_WIDE: Final = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
"""Between what stands on an arrow: blanks would be made one, and librsvg drops even these at the end of a piece, unless
it is told to preserve them."""


@dataclass(slots=True)
class _Row:
    """Something at one height."""

    entry: Packet | Call | Repeats | str
    time: float
    above: float
    below: float
    left_end: float = 0.0
    """How far its left end lies below its middle."""
    words: list[tuple[str, str]] = field(default_factory=list)
    """Lines below the arrow, or all there is, with their style."""
    y: float = 0.0


def svg(result: Result, *, scaled: bool = False, frames: bool = False) -> str:
    """The run as an SVG document; the same result gives the same text.

    `scaled`: heights in proportion to time, as far as nothing overlaps; else all steps alike. `frames`: with the frames
    that are not TCP too.
    """
    return _Picture(result, scaled, frames).drawn()


class _Picture:
    def __init__(self, result: Result, scaled: bool, frames: bool) -> None:
        self.result = result
        entries = [e for e in result.timeline if frames or not beside_the_point(e, result)]
        self.packets = [e for e in entries if isinstance(e, Packet)]
        self.names = sorted({p.connection for p in self.packets if p.connection}, key=lambda n: (len(n), n))
        self.tags = len(self.names) > 1
        self.lanes = len(self.names) if 1 < len(self.names) <= MOST_LANES else 1
        self.carried = carried(result)
        self.scaled = scaled and len({p.time for p in self.packets}) > 1
        self.out: list[str] = []
        side = STATES + (22 if self.tags else 0)
        self.left = MARGIN + AXIS * self.scaled + TIMES + side + self.lanes * LANE
        self.right = self.left + SPAN
        self.width = self.right + self.lanes * LANE + side + MARGIN
        self.rows = [self._row(e) for e in shortened(folded(entries, result), result) if not _is_quiet(e)]
        self.rows += self._at_the_end()

    # What there is to draw

    def _row(self, entry: Packet | Call | Repeats | int) -> _Row:
        if isinstance(entry, int):
            text = f"… {count(entry, 'entry', 'entries')} left out"
            return _Row(text, -1.0, 11, 11, words=[(text, "dim")])
        if isinstance(entry, Repeats):
            text = f"… {entry.count} more like it, the last after {seconds(entry.packet.time)}"
            return _Row(entry, entry.packet.time, 11, 11, words=[(text, "dim")])
        if isinstance(entry, Call):
            tag = f"{entry.connection}: " if self.tags and entry.connection else ""
            style = "call" if entry.kind == "call" else "dim"
            lines = wrapped_to(tag + entry.text, SPAN - 60, SMALL)
            half = 6 + LEADING * len(lines) / 2
            return _Row(entry, entry.time, half, half, words=[(line, style) for line in lines])
        words = self._below(entry)
        arrow = entry.segment is not None and entry.sender != "other"
        lean = SLANT / 2 if arrow else 0.0
        row = _Row(entry, entry.time, lean + 20, lean + 7 + LEADING * len(words), words=words)
        row.left_end = lean if entry.sender == "server" else -lean
        return row

    def _below(self, packet: Packet) -> list[tuple[str, str]]:
        """The lines under an arrow."""
        room = SPAN - 36
        read: Carried | None = self.carried.get(packet.number)
        lines: list[tuple[str, str]] = []
        strange = {"kernel": "sent by the lab's own kernel, not by the lab", "other": "sent by somebody else"}
        if packet.sender in strange:
            lines.append((f"! {strange[packet.sender]}", "warn"))
        details = " · ".join(details_of(packet, read, 24))
        lines += [(line, "dim") for line in wrapped_to(details, room, SMALL)]
        lines += [(cut_to(line, room, SMALL), "ink") for line in (read.lines() if read else [])]
        for problem in failures_of(packet, self.result):
            lines += [(line, "bad") for line in wrapped_to(f"✗ {in_short(problem, UNICODE)}", room, SMALL)]
        return lines

    def _at_the_end(self) -> list[_Row]:
        """What no packet shows: a check that failed on something that did not come."""
        shown = [problem for packet in self.packets for problem in failures_of(packet, self.result)]
        rows: list[_Row] = []
        for problem in self.result.problems:
            if problem not in shown:
                bad = problem.verdict is Verdict.VIOLATES
                lines = wrapped_to(f"{'✗' if bad else '!'} {in_short(problem, UNICODE)}", SPAN - 36, SMALL)
                half = 5 + LEADING * len(lines) / 2
                words = [(line, "bad" if bad else "warn") for line in lines]
                rows.append(_Row("the end", -1.0, half, half, words=words))
        if not self.packets:
            rows.append(_Row("nothing", -1.0, 14, 14, words=[("no packet was seen", "dim")]))
        return rows

    # Where it goes

    def _place(self, top: float) -> tuple[float, Scale | None]:
        """Give each row its height; the bottom, and the axis where there is one."""
        rows = self.rows
        time = 0.0
        for row in rows:  # what has no time of its own stands where the one before does
            time = row.time = time if row.time < 0 else max(time, row.time)
        gaps = [max(a.below + b.above + 3, self._step(a, b)) for a, b in pairwise(rows)]
        if not self.scaled:
            y = top + rows[0].above
            for row, gap in zip(rows, [*gaps, 0.0], strict=True):
                row.y = y
                y += gap
            return rows[-1].y + rows[-1].below, None
        scale = to_scale([row.time for row in rows], gaps)
        gaps = [gap + 34 * (i in scale.broken) for i, gap in enumerate(gaps)]
        places = apart([at - row.left_end for at, row in zip(scale.at, rows, strict=True)], gaps)
        shift = top + max(rows[0].above - places[0], 8.0)
        for row, place in zip(rows, places, strict=True):
            row.y = place + shift
        moved = Scale(tuple(at + shift for at in scale.at), scale.broken, scale.per_second)
        return max(rows[-1].y + rows[-1].below, moved.at[-1] + 10), moved

    def _step(self, one: _Row, other: _Row) -> float:
        packets = isinstance(one.entry, Packet) and isinstance(other.entry, Packet)
        pause = not self.scaled and other.time - one.time >= PAUSE
        if pause:
            return one.below + other.above + 40
        return STEP if packets and not self.scaled else 0.0

    # The drawing

    def drawn(self) -> str:
        """The whole document."""
        top = self._heading()
        bottom, scale = self._place(top + 14)
        lines, self.out = self.out, []
        self._lifelines(top, bottom + 14)
        if scale is not None:
            self._axis(scale)
        for i, row in enumerate(self.rows):
            self._draw(row, scale.at[i] if scale else None)
            before = self.rows[i - 1]
            pause = row.time - before.time
            if i and (i - 1 in scale.broken if scale else pause >= PAUSE):
                self._gap((before.y + before.below + row.y - row.above) / 2, pause)
        height = self._footing(bottom + 14)
        title = f"Ladder of {self.result.name}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t d" width="{_n(self.width)}" '
            f'height="{_n(height)}" viewBox="0 0 {_n(self.width)} {_n(height)}">'
            f'<title id="t">{quoted(title)}</title><desc id="d">{quoted(self._in_words())}</desc>'
            f"<style>{css()}</style>"
            f'<rect class="page rule" x="0.5" y="0.5" width="{_n(self.width - 1)}" height="{_n(height - 1)}" rx="8"/>'
        )
        return "\n".join([head, *lines, *self.out, "</svg>"]) + "\n"

    def _in_words(self) -> str:
        """The picture for who cannot see it."""
        left, right = self.result.names
        said = [
            f"{left if p.sender == 'peer' else right if p.sender == 'server' else p.sender} sends "
            f"{' '.join(_label(p))}" + (" (lost)" if never_came(p) else "")
            for p in self.packets[:40]
            if p.segment
        ]
        more = f"; and {len(self.packets) - 40} more" if len(self.packets) > 40 else ""
        return f"{self.result.title}. {'; '.join(said)}{more}."

    def _heading(self) -> float:
        """Title, verdict, the two ends; where the lifelines begin."""
        result = self.result
        name = f"{result.name} over {FAMILIES[result.family]}" if result.judged else result.name
        room = self.width - 2 * MARGIN
        if result.judged:
            sign, style = mark(result.verdict, UNICODE)
            verdict = f"{sign} {result.verdict}"
            self._text(self.width - MARGIN, 40, verdict, LABEL, f"b {style}", anchor="end")
            room -= width_of_text(verdict, LABEL, bold=True) + 16
        self._text(MARGIN, 40, cut_to(name, room, 17, bold=True), 17, "b ink")
        y = 40.0
        for line in wrapped_to(result.title, self.width - 2 * MARGIN, LABEL)[:3]:
            y += 20
            self._text(MARGIN, y, line, LABEL, "dim")
        y += 18
        ends = [(self.left, result.names[0], result.peer_address, "peer")]
        ends.append((self.right, result.names[1], result.server_address, "server"))
        for x, who, address, style in ends:
            address = cut_to(address, SPAN - 20, TINY)
            wide = max(width_of_text(who, LABEL, bold=True), width_of_text(address, TINY)) + 24
            tall = 40 if address else 26
            x0 = min(max(x - wide / 2, MARGIN), self.width - MARGIN - wide)
            self.out.append(
                f'<rect class="thin {style}" x="{_n(x0)}" y="{_n(y)}" width="{_n(wide)}" height="{tall}" rx="6"/>'
            )
            self._text(x0 + wide / 2, y + 17, who, LABEL, f"b {style}", anchor="middle")
            if address:
                self._text(x0 + wide / 2, y + 32, address, TINY, "dim", anchor="middle")
        return y + (40 if result.peer_address or result.server_address else 26)

    def _footing(self, y: float) -> float:
        """First numbers and what the signs mean; the height of it all."""
        result = self.result
        lines: list[str] = []
        left, right = result.names
        for name, (ours, theirs) in list(result.isns.items())[:MOST_LANES]:
            x, z = ("not known" if n is None else str(n) for n in (ours, theirs))
            zero = "" if ours is None or theirs is None else ", both shown as 0"
            who = f" of {name}" if len(result.isns) > 1 else ""
            where = " ({}, {})".format(*result.ends[name]) if name in result.ends else ""
            lines.append(f"first numbers{who}{where}: {left} {x}, {right} {z}{zero}")
        says = []
        kinds = {row.entry.kind for row in self.rows if isinstance(row.entry, Call)}
        if "call" in kinds:
            says.append("● the server's program calls")
        if any(_again(p) for p in self.packets):
            says.append("dashed: sent before")
        if any(never_came(p) for p in self.packets):
            says.append("✗ did not arrive")
        if self.scaled:
            says.append("to scale: where labels had to move, thin lines lead to the moment on the axis")
        if any(p.segment and (p.seq is None or ack_of(p).endswith("*")) for p in self.packets):
            says.append("* as it stands in the segment: its start is not known")
        lines += [" · ".join(says)] if says else []
        y += 8
        for line in lines:
            for piece in wrapped_to(line, self.width - 2 * MARGIN, TINY):
                y += LEADING
                self._text(MARGIN, y, piece, TINY, "dim")
        return y + 18

    def _lane(self, connection: str) -> float:
        """How far a connection's lifeline lies outside of the innermost."""
        return self.names.index(connection) * LANE if self.lanes > 1 and connection in self.names else 0.0

    def _lifelines(self, top: float, bottom: float) -> None:
        for lane in range(self.lanes):
            for x in (self.left - lane * LANE, self.right + lane * LANE):
                self.out.append(f'<path class="thin rule" d="M{_n(x)} {_n(top)}V{_n(bottom)}"/>')
        for side in (0, 1):
            stands: dict[str, tuple[State, float]] = {}
            for row in self.rows:
                packet = row.entry
                if not isinstance(packet, Packet):
                    continue
                state = (packet.peer_state, packet.server_state)[side]
                y = row.y + (row.left_end if side == 0 else -row.left_end)
                was = stands.get(packet.connection)
                if state is None or (was is not None and was[0] is state):
                    continue
                if was is not None:
                    self._band(side, packet.connection, was[0], was[1], y)
                stands[packet.connection] = state, y
                self._state(side, packet.connection, state, y)
            for connection, (state, y) in stands.items():
                self._band(side, connection, state, y, bottom)

    def _band(self, side: int, connection: str, state: State, top: float, bottom: float) -> None:
        if self.tags and self.lanes == 1:
            return
        lane = self._lane(connection)
        x = (self.left - lane if side == 0 else self.right + lane) - LANE / 2 + 1
        self.out.append(
            f'<rect class="{band_class(state)}" x="{_n(x)}" y="{_n(top)}" width="{_n(LANE - 2)}" '
            f'height="{_n(bottom - top)}" rx="1"/>'
        )

    def _state(self, side: int, connection: str, state: State, y: float) -> None:
        tag = f"{connection} " if self.tags else ""
        out = self.lanes * LANE + 4
        x, anchor = (self.left - out, "end") if side == 0 else (self.right + out, "start")
        near = self.left - self._lane(connection) if side == 0 else self.right + self._lane(connection)
        self.out.append(f'<path class="thin rule" d="M{_n(near)} {_n(y)}H{_n(x)}"/>')
        self._text(x + (-3 if side == 0 else 3), y + 4, tag + state.value, TINY, "b ink", anchor=anchor)

    def _draw(self, row: _Row, at: float | None) -> None:
        entry = row.entry
        if isinstance(entry, Packet):
            self._packet(row, entry)
        elif isinstance(entry, Call) and entry.kind == "call":
            self._lines(row, self.right - 14, "end")
            self.out.append(f'<circle class="call" cx="{_n(self.right)}" cy="{_n(row.y)}" r="4.5"/>')
        else:
            self._lines(row, (self.left + self.right) / 2, "middle")
        if isinstance(entry, Packet | Call) or (at is not None and isinstance(entry, Repeats)):
            y = row.y + row.left_end
            x = MARGIN + AXIS * self.scaled + TIMES - 8
            self._text(x, y + 4, seconds(row.time), TINY, "dim", anchor="end")
            if at is not None:
                start = MARGIN + 62
                self.out.append(
                    f'<path class="thin rule" d="M{_n(start)} {_n(at)}L{_n(start + 26)} {_n(y)}H{_n(start + 36)}"/>'
                )

    def _lines(self, row: _Row, x: float, anchor: str) -> None:
        y = row.y - LEADING * (len(row.words) - 1) / 2 + 4
        for text, style in row.words:
            self._text(x, y, text, SMALL, style, anchor=anchor)
            y += LEADING

    def _packet(self, row: _Row, packet: Packet) -> None:
        """An arrow with all that stands on it, turned as it leans."""
        lane = self._lane(packet.connection)
        x0, x1 = self.left - lane + LANE / 2, self.right + lane - LANE / 2
        middle, half = (x0 + x1) / 2, (x1 - x0) / 2
        failed = bool(failures_of(packet, self.result))
        style = "bad" if failed else packet.sender if packet.sender in ("peer", "server") else "warn"
        turn = degrees(atan2(-row.left_end, half))
        self.out.append(f'<g transform="translate({_n(middle)} {_n(row.y)}) rotate({turn:.3f})">')
        told = " ".join(_label(packet))
        rule = f", {packet.rule}" if packet.rule else ""
        self.out.append(f"<title>{quoted(f'packet {packet.number} at {seconds(packet.time)}: {told}{rule}')}</title>")
        towards = -1 if packet.sender == "server" else 1
        tip, back = towards * half, -towards * half
        again = f" {AGAIN}" if _again(packet) else ""
        if packet.segment is None or packet.sender == "other":
            self.out.append(f'<path class="line dots {style}" d="M{_n(-half)} 0H{_n(half)}"/>')
        elif never_came(packet):
            stop = towards * half * 0.45
            self.out.append(f'<path class="line{again} {style}" d="M{_n(back)} 0H{_n(stop - towards * 9)}"/>')
            self.out.append(f'<path class="line bad" d="M{_n(stop - 5)} -5l10 10m0 -10l-10 10"/>')
        else:
            self.out.append(f'<path class="line{again} {style}" d="M{_n(back)} 0H{_n(tip - towards * 8)}"/>')
            self.out.append(f'<path class="{style}" d="M{_n(tip)} 0l{_n(-towards * 10)} -4.2v8.4z"/>')
        self._label(packet, style)
        y = 15.0
        for text, kind in row.words:
            self._text(0, y, text, SMALL, kind, anchor="middle")
            y += LEADING
        self.out.append("</g>")

    def _label(self, packet: Packet, style: str) -> None:
        """What stands on the arrow: the control bits bold."""
        first, *rest = _label(packet)
        tag = f"{packet.connection}{_WIDE}" if self.tags and packet.connection else ""
        if packet.segment is None:
            self._text(0, -6, cut_to(first, SPAN - 36, LABEL), LABEL, style, anchor="middle")
            return
        numbers = cut_to(_WIDE.join(rest), SPAN - 36 - width_of_text(tag + first + _WIDE, LABEL, bold=True), LABEL)
        dim = f'<tspan class="dim">{quoted(tag)}</tspan>' if tag else ""
        lift = -9 if never_came(packet) else -6
        self.out.append(
            f'<text x="0" y="{lift}" font-size="{_n(LABEL)}" text-anchor="middle" xml:space="preserve">{dim}'
            f'<tspan class="b {style}">{quoted(first)}</tspan>'
            f'<tspan class="ink">{_WIDE}{quoted(numbers)}</tspan></text>'
        )

    def _gap(self, y: float, pause: float) -> None:
        """A pause: both lifelines break."""
        for x in (self.left, self.right):
            self.out.append(
                f'<rect class="page" x="{_n(x - 5)}" y="{_n(y - 9)}" width="10" height="18"/>'
                f'<path class="line dim" d="M{_n(x)} {_n(y - 9)}l-5 3l10 4l-10 4l10 4l-5 3"/>'
            )
        self._text((self.left + self.right) / 2, y + 4, f"{seconds(pause)} later", SMALL, "dim", anchor="middle")

    def _axis(self, scale: Scale) -> None:
        """The time axis, with round moments where they lie, broken where time is."""
        x = MARGIN + 62
        times = [row.time for row in self.rows]
        starts = [0, *(i + 1 for i in sorted(scale.broken))]
        stops = [*sorted(scale.broken), len(times) - 1]
        used = -1e9
        for first, last in zip(starts, stops, strict=True):
            a, b = scale.at[first], scale.at[last]
            self.out.append(f'<path class="thin dim" d="M{_n(x)} {_n(a - 8)}V{_n(b + 8)}"/>')
            for moment, name in ticks(times[first], times[last], scale.per_second, 46):
                y = a + (moment - times[first]) * scale.per_second
                if y - used < 18:
                    continue
                used = y
                self.out.append(f'<path class="thin dim" d="M{_n(x - 5)} {_n(y)}H{_n(x)}"/>')
                self._text(x - 8, y + 4, name, TINY, "dim", anchor="end")
        for i in sorted(scale.broken):
            y = (scale.at[i] + scale.at[i + 1]) / 2
            a, b = scale.at[i] + 8, scale.at[i + 1] - 8
            self.out.append(
                f'<path class="thin dim dots" d="M{_n(x)} {_n(a)}V{_n(y - 9)}M{_n(x)} {_n(y + 9)}V{_n(b)}"/>'
                f'<path class="line dim" d="M{_n(x)} {_n(y - 9)}l-5 3l10 4l-10 4l10 4l-5 3"/>'
            )

    def _text(self, x: float, y: float, text: str, size: float, style: str, *, anchor: str = "start") -> None:
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.out.append(
            f'<text class="{style}" x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}"{where}>{quoted(text)}</text>'
        )


def _is_quiet(entry: object) -> bool:
    """Whether it is a check that held: a picture says it by being drawn."""
    return isinstance(entry, Call) and entry.kind == "check"


def _again(packet: Packet) -> bool:
    return any(word in packet.note for word in REPEATED)


def _label(packet: Packet) -> Sequence[str]:
    segment = packet.segment
    if segment is None:
        return [packet.summary or "not TCP"]
    parts = [flags_of(packet), seq_of(packet), ack_of(packet)]
    parts.append(f"len {len(segment.payload)}" if segment.payload else "win 0" if segment.window == 0 else "")
    return [part for part in parts if part]


def _n(number: float) -> str:
    """A number as short as it can be, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")
