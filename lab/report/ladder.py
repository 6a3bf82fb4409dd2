"""The ladder of a run: two lifelines, an arrow for each packet, both ends' states beside it, as in RFC 9293 §3.5."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from lab.report import wide
from lab.report.carried import Carried, carried
from lab.report.rungs import (
    NEVER_CAME,
    Repeats,
    ack_of,
    beside_the_point,
    details_of,
    failures_of,
    flags_of,
    folded,
    in_short,
    seq_of,
    shortened,
)
from lab.report.text import (
    FAMILIES,
    UNICODE,
    Glyphs,
    Line,
    columns,
    count,
    cut,
    mark,
    seconds,
    width_of,
    wrapped,
)
from lab.scenario.record import Call, Packet, Result, Verdict
from lab.tcp.state import State

STATE = len("SYN-RECEIVED")
"""Columns of the longest state."""
NARROWEST = 60
WIDEST = 120
PAUSE = 0.5
"""A silence of so many seconds is shown as a break in the lifelines."""
_MOST_CONNECTIONS = 12
"""So many are told of in the heading."""

_States = dict[str, tuple[State | None, State | None]]
"""For each connection, the two ends' states after its last packet."""


@dataclass(slots=True)
class _Shape:
    """The columns of one ladder."""

    glyphs: Glyphs
    width: int
    times: bool
    rules: bool
    tags: int
    """Columns of the connection's name, 0 where there is but one."""
    number: int
    """Columns of the frame's number."""
    flags: int = 0
    seq: int = 0
    ack: int = 0
    carried: dict[int, Carried] = field(default_factory=dict)
    """What each packet carried of HTTP and WebSocket, by its number."""

    @property
    def before(self) -> int:
        """Columns before the left lifeline."""
        return self.edge + STATE + 1

    @property
    def edge(self) -> int:
        """Columns before the lab's state: time, connection, frame number."""
        return 8 * self.times + self.tags + self.number + 1

    @property
    def after(self) -> int:
        """Columns behind the right lifeline."""
        return 1 + STATE + 20 * self.rules

    @property
    def span(self) -> int:
        """Columns between the lifelines."""
        return self.width - self.before - self.after - 2


def ladder(
    result: Result,
    *,
    width: int = 80,
    glyphs: Glyphs = UNICODE,
    frames: bool = False,
    legend: bool = True,
    verdict: bool = True,
) -> list[Line]:
    """The run as a ladder of at most `width` columns (60 at least), its heading included.

    `frames`: with the frames that are not TCP too (ARP, neighbour discovery). `legend`: with a line that tells what
    the signs mean. Not `verdict`: there is none yet.
    """
    width = min(max(width, NARROWEST), WIDEST)
    entries = [e for e in result.timeline if frames or not beside_the_point(e, result)]
    packets = [e for e in entries if isinstance(e, Packet)]
    names = {p.connection for p in packets if p.connection}
    shape = _Shape(
        glyphs=glyphs,
        width=width,
        times=width >= 72,
        rules=width >= 100 and any(p.rule for p in packets),  # of a capture nobody knows them
        tags=max(map(len, names)) + 1 if len(names) > 1 else 0,
        number=max(2, len(str(max((p.number for p in packets), default=0)))),
        carried=carried(result),
    )
    shape.flags = min(max((len(flags_of(p)) for p in packets if p.segment), default=0), len("FIN+ACK"))
    shape.seq = min(max((len(seq_of(p)) for p in packets if p.segment), default=0), 8)
    shape.ack = min(max((len(ack_of(p)) for p in packets if p.segment), default=0), 8)

    lines = [*heading(result, width=width, glyphs=glyphs, verdict_too=verdict), []]
    lines.append(_columns(shape, result))
    last: float | None = None
    states: _States = {}
    for entry in shortened(folded(entries, result), result):
        if isinstance(entry, int):
            lines.append(_inside(shape, f"{glyphs.ellipsis} {count(entry, 'entry', 'entries')} left out", "dim"))
            continue
        if isinstance(entry, Repeats):
            text = f"{glyphs.ellipsis} {entry.count} more like it, the last after {seconds(entry.packet.time)}"
            lines.append(_inside(shape, text, "dim"))
            last = entry.packet.time
            continue
        if last is not None and entry.time - last >= PAUSE:
            lines.append(_pause(shape, entry.time - last))
        last = entry.time
        lines += _packet(shape, entry, result, states) if isinstance(entry, Packet) else _call(shape, entry)
    if not packets:
        lines.append(_inside(shape, "no packet was seen", "dim"))
    lines += _at_the_end(shape, packets, result)
    if legend:
        lines += _legend(shape, entries, result)
    return lines


class GrowingLadder:
    """A ladder that is drawn while it grows: columns stay where they are, whatever comes."""

    def __init__(self, *, pauses: bool = False, read: dict[int, Carried] | None = None) -> None:
        """`pauses`: a silence of PAUSE seconds and more is shown. `read` is what `carried` makes of a run that is over:
        no need to read it again with all that comes.
        """
        self._pauses = pauses
        self._read = read
        self._right: dict[int, bool] = {}
        self._states: _States = {}
        self._last: float | None = None
        self._width = 0

    def columns(self, result: Result, *, width: int, glyphs: Glyphs) -> Line:
        """Who the lifelines belong to."""
        return _columns(self._shape(result, width, glyphs, ()), result)

    def lines(self, entries: Sequence[Packet | Call], result: Result, *, width: int, glyphs: Glyphs) -> list[Line]:
        """What the ladder grows by; `result` holds all that was seen until now.

        Where the width is another than before, the columns are named again.
        """
        speak = {e.connection for e in entries if isinstance(e, Packet) and e.segment and e.segment.payload}
        shape = self._shape(result, width, glyphs, speak)
        lines: list[Line] = [_columns(shape, result)] if self._width not in (0, shape.width) else []
        self._width = shape.width
        for entry in entries:
            if beside_the_point(entry, result):
                continue
            if self._pauses and self._last is not None and entry.time - self._last >= PAUSE:
                lines.append(_pause(shape, entry.time - self._last))
            self._last = entry.time
            if isinstance(entry, Packet):
                lines += _packet(shape, entry, result, self._states)
            else:
                lines += _call(shape, entry)
        return lines

    def _shape(self, result: Result, width: int, glyphs: Glyphs, speak: Collection[str]) -> _Shape:
        """`speak` are the connections on which something is said in the lines to come."""
        width = min(max(width, NARROWEST), WIDEST)
        tags = max(map(len, result.isns), default=0) + 1 if len(result.isns) > 1 else 0
        wide = width >= 72
        return _Shape(
            glyphs=glyphs,
            width=width,
            times=wide,
            rules=width >= 100,
            tags=tags,
            number=3,
            flags=len("SYN+ACK"),
            seq=len("seq 10") if wide else 0,
            ack=len("ack 10") if wide else 0,
            carried=carried(result, only=speak, right=self._right) if self._read is None else self._read,
        )


def heading(result: Result, *, width: int = 80, glyphs: Glyphs = UNICODE, verdict_too: bool = True) -> list[Line]:
    """Which run it is, what came of it, who the two ends are and with which initial numbers they began.

    Not `verdict_too`: what came of it is left for the end.
    """
    sign, style = mark(result.verdict, glyphs)
    name = f"{result.name} over {FAMILIES[result.family]}" if result.judged else result.name
    verdict = f"{sign} {result.verdict}" if result.judged and verdict_too else ""
    lines: list[Line] = [[(name, "head"), (" " * (width - len(name) - len(verdict)), ""), (verdict, style)]]
    if len(name) + len(verdict) + 2 > width or not verdict:
        lines = [
            *wrapped(name, width, style="head", whole=not result.judged),
            *([[(verdict, style)]] if verdict else []),
        ]
    lines += wrapped(result.title, width)
    peer, server = result.names
    if result.peer_address or result.server_address:
        lab: Line = [(peer, "peer"), (f" {result.peer_address or '?'}", "")]
        other: Line = [(server, "server"), (f" {result.server_address or '?'}", "")]
        one: Line = [*lab, ("   ", ""), *other]
        lines += [one] if width_of(one) <= width else [lab, other]
    for connection, (ours, theirs) in list(result.isns.items())[:_MOST_CONNECTIONS]:
        if connection in result.ends:
            here, there = result.ends[connection]
            lines += wrapped(f"connection {connection}: {peer} {here}, {server} {there}", width)
        which = f" of connection {connection}" if len(result.isns) > 1 else ""
        x = "not known" if ours is None else str(ours)
        y = "not known" if theirs is None else str(theirs)
        zero = "" if ours is None or theirs is None else " (both shown as 0)"
        lines += wrapped(f"first numbers{which}: {peer} {x}, {server} {y}{zero}", width, style="dim")
    if len(result.isns) > _MOST_CONNECTIONS:
        more = count(len(result.isns) - _MOST_CONNECTIONS, "more connection")
        lines.append([(f"{glyphs.ellipsis} {more}", "dim")])
    return lines


def _pause(shape: _Shape, lasted: float) -> Line:
    """A break in the lifelines."""
    gap, text = shape.glyphs.gap, f"{seconds(lasted)} later".center(shape.span)
    return [(" " * shape.before, ""), (f"{gap}{text}{gap}", "dim")]


def _columns(shape: _Shape, result: Result) -> Line:
    peer, server = result.names
    time = "time".rjust(7) + " " if shape.times else ""
    number = "#".rjust(shape.number + shape.tags) + " "
    line: Line = [(time + number, "dim"), (peer.rjust(STATE) + " ", "peer")]
    line += [(shape.glyphs.life + " " * shape.span + shape.glyphs.life, "dim"), (" " + server.ljust(STATE), "server")]
    if shape.rules:
        line.append(("  rule", "dim"))
    return line


def _packet(shape: _Shape, packet: Packet, result: Result, states: _States) -> list[Line]:
    glyphs = shape.glyphs
    failed = failures_of(packet, result)
    style = "bad" if failed else packet.sender if packet.sender in ("peer", "server") else "warn"
    label, details = _label(shape, packet)
    fill = shape.span - 4 - len(label)
    if packet.segment is None or packet.sender == "other":
        arrow = f"{glyphs.dot * 2} {label} ".ljust(shape.span - 2, " ") + glyphs.dot * 2
    elif packet.sender == "server":
        arrow = f"{glyphs.left}{glyphs.dash} {label} {glyphs.dash * fill}"
    else:
        arrow = f"{glyphs.dash * 2} {label} {glyphs.dash * (fill - 1)}{glyphs.right}"
    if packet.segment is not None and packet.note in NEVER_CAME:
        arrow = _cut_short(arrow, len(label), packet.sender, glyphs)
    # A state that has not changed steps back, so that the eye finds those that have.
    was = states.get(packet.connection, (None, None))
    now = states[packet.connection] = packet.peer_state, packet.server_state
    ours, theirs = (str(state or "") for state in now)
    colours = "dim" if now[0] == was[0] else "peer", "dim" if now[1] == was[1] else "server"
    line: Line = [(_before(shape, packet.time, packet.number, packet.connection), "dim")]
    line += [(ours.rjust(STATE) + " ", colours[0]), (glyphs.life, "dim"), (arrow, style), (glyphs.life, "dim")]
    line += [(" " + theirs.ljust(STATE), colours[1])]
    if shape.rules and packet.rule:
        line.append((f"  {cut(packet.rule, 18, glyphs)}", "dim"))
    lines = [line]
    if packet.sender == "kernel":
        lines += _between(shape, f"{glyphs.warn} sent by the lab's own kernel, not by the lab", "warn")
    elif packet.sender == "other":
        lines += _between(shape, f"{glyphs.warn} sent by somebody else", "warn")
    if details:
        lines += _between(shape, details, "dim")
    if packet.number in shape.carried:
        for text in shape.carried[packet.number].lines(glyphs):
            lines += _between(shape, text, "")
    for problem in failed:
        lines += _between(shape, f"{glyphs.cross} {in_short(problem, glyphs)}", "bad")
    return lines


def _cut_short(arrow: str, label: int, sender: str, glyphs: Glyphs) -> str:
    """An arrow that ends on the way, behind its label at least: the last fifth of it was never travelled."""
    missing = max(0, min(max(3, len(arrow) // 5), len(arrow) - label - 5))
    if sender == "server":
        return f"{' ' * missing}{glyphs.cross}" + arrow[missing + 1 :].replace(glyphs.left, glyphs.dash)
    return f"{arrow[: -missing - 1]}{glyphs.cross}" + " " * missing


def _at_the_end(shape: _Shape, packets: list[Packet], result: Result) -> list[Line]:
    """The problems that no packet shows, such as one that did not come."""
    shown = [problem for packet in packets for problem in failures_of(packet, result)]
    lines: list[Line] = []
    for problem in result.problems:
        if problem not in shown:
            bad = problem.verdict is Verdict.VIOLATES
            sign, style = (shape.glyphs.cross, "bad") if bad else (shape.glyphs.warn, "warn")
            lines += _between(shape, f"{sign} {in_short(problem, shape.glyphs)}", style)
    return lines


def _label(shape: _Shape, packet: Packet) -> tuple[str, str]:
    """What stands on the arrow, and what did not fit and stands below."""
    segment = packet.segment
    if segment is None:
        return cut(packet.summary or "not TCP", shape.span - 5, shape.glyphs), packet.note
    parts = [flags_of(packet).ljust(shape.flags), seq_of(packet).ljust(shape.seq), ack_of(packet).ljust(shape.ack)]
    if segment.payload:
        parts.append(f"len {len(segment.payload)}")
    elif segment.window == 0 or shape.span >= 60:
        parts.append(f"win {segment.window}")
    room = shape.span - 5
    label = "  ".join(parts).rstrip()
    below: list[str] = []
    if len(label) > room:
        parts = [part.strip() for part in parts if part.strip()]
    while len(label := "  ".join(parts).rstrip()) > room and len(parts) > 1:
        below.insert(0, parts.pop())
    below += details_of(packet, shape.carried.get(packet.number), min(24, shape.span - 11))
    return cut(label, room, shape.glyphs), f" {shape.glyphs.dot} ".join(below)


def _before(shape: _Shape, time: float, number: int | None, connection: str) -> str:
    text = seconds(time).rjust(7) + " " if shape.times else ""
    if shape.tags:
        text += (connection if number is not None else "").ljust(shape.tags)
    return text + ("" if number is None else str(number)).rjust(shape.number) + " "


def _call(shape: _Shape, call: Call) -> list[Line]:
    """A row between the arrows: calls lean on the server's lifeline, checks and waits stand at the left."""
    glyphs = shape.glyphs
    before = _before(shape, call.time, None, "") + " " * (STATE + 1)
    tag = f"{call.connection}: " if shape.tags and call.connection else ""
    sign, style = {
        "call": (glyphs.call, "call"),
        "check": (glyphs.check, "good"),
        "wait": (glyphs.wait, "dim"),
        "note": (glyphs.dot, "dim"),
    }[call.kind]
    if call.kind != "call":
        return _between(shape, f"{sign} {tag}{call.text}", style, before)
    room = shape.span - 4
    lines: list[Line] = []
    pieces = wrapped(tag + call.text, room)
    for i, [(piece, _)] in enumerate(pieces):
        text = f"{piece} {sign if i == len(pieces) - 1 else ' '}".rjust(shape.span)
        start = before if i == 0 else " " * shape.before
        lines.append([(start, "dim"), (glyphs.life, "dim"), (text, style), (glyphs.life, "dim")])
    return lines


def _between(shape: _Shape, text: str, style: str, before: str = "") -> list[Line]:
    """Rows of text between the lifelines."""
    lines: list[Line] = []
    narrow = columns(text) == len(text)
    room = shape.span - 4
    pieces = wrapped(text, room, then="  ") if narrow else wide.wrapped(text, room, glyphs=shape.glyphs, then="  ")
    for i, [(piece, _)] in enumerate(pieces):
        start = before if i == 0 and before else " " * shape.before
        line = _inside(shape, piece, style)
        line[0] = (start, "dim")
        lines.append(line)
    return lines


def _inside(shape: _Shape, text: str, style: str) -> Line:
    life = shape.glyphs.life
    body = f"   {text}" + " " * (shape.span - 3 - columns(text))
    return [(" " * shape.before, "dim"), (life, "dim"), (body, style), (life, "dim")]


def _legend(shape: _Shape, entries: list[Packet | Call], result: Result) -> list[Line]:
    glyphs = shape.glyphs
    kinds = {e.kind for e in entries if isinstance(e, Call)}
    packets = [e for e in entries if isinstance(e, Packet) and e.segment]
    says = []
    if "call" in kinds:
        says.append(f"{glyphs.call} the server's program calls")
    if "check" in kinds:
        says.append(f"{glyphs.check} a check that held")
    if any(p.verdict is Verdict.VIOLATES for p in result.problems):
        says.append(f"{glyphs.cross} one that did not")
    if any(seq_of(p).endswith("*") or ack_of(p).endswith("*") for p in packets):
        says.append("* as it stands in the packet: its start is not known")
    return wrapped("   ".join(says), shape.width, style="dim") if says else []
