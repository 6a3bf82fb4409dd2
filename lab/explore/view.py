"""What is shown after each step: the ladder's new lines, both ends' variables, the witnesses, what may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.explore.session import Session, Step
from lab.explore.web import Web
from lab.report.ladder import GrowingLadder
from lab.report.problem import problem_lines
from lab.report.text import Glyphs, Line, cut, flag_words, seconds, width_of, wrapped
from lab.scenario.record import Call, End, Packet, Standing
from lab.tcp.outlook import Answer, Move
from lab.tcp.profile import RFC9293
from lab.tcp.segment import Segment
from lab.tcp.state import NO_CONNECTION, State
from lab.tcp.world import BY_TIMER
from lab.websocket.dialogue import State as WebState

_MARGIN = "  "
_STATE = 13
"""Columns of a state."""
_TYPED = {"data": 'data "hello"', "repeat": "repeat last"}
OTHERWISE = "* or otherwise"
MORE = ": `legal` shows every way, and its section"
SHORT = ": `legal` shows that, and what is not legal"
_WS_NEXT = {
    WebState.CONNECTING: ("ws open",),
    WebState.OPEN: ('ws text "…"', "ws ping", "ws close 1000"),
    WebState.CLOSING: (),
    WebState.CLOSED: (),
}


class View:
    """Draws steps, in as many columns as there are at that moment."""

    def __init__(self, glyphs: Glyphs, *, panel: bool = True, patient: bool = False) -> None:
        """`patient`: what repeats itself while nobody types is not drawn at all, and counted at the next step."""
        self.glyphs = glyphs
        self.panel = panel
        """Whether the ladder alone is drawn, or what stands below it as well."""
        self._patient = patient
        self._ladder = GrowingLadder()
        self._stood: object = None
        self._drawn: set[object] = set()
        """Repeated segments that were drawn while nobody typed."""
        self._held: list[Packet] = []
        """Those that were not, since one like them was."""

    def head(self, session: Session, width: int) -> list[Line]:
        """The lifelines' names."""
        return [self._ladder.columns(session.result(), width=width, glyphs=self.glyphs)]

    def step(self, step: Step, session: Session, width: int, *, drawn: int = 0, rows: int | None = None) -> list[Line]:
        """All that a step has to tell; of its entries the first `drawn` were drawn already.

        Where nothing came of it, both ends stand as before, and that is not shown again. What came while nobody typed
        is the ladder's alone, unless an end is in another state now or owes something new. Where a terminal has few
        `rows`, what is not legal is left out, so that the step itself stays in sight.
        """
        result = session.result()
        entries = step.entries[drawn:]
        lines: list[Line] = []
        if step.line:
            lines += self._told_of_repeats(width)
        else:
            entries = [entry for entry in entries if not self._folds(entry)]
        lines += self._ladder.lines(entries, result, width=width, glyphs=self.glyphs)
        for problem in step.problems:
            lines += [[], *problem_lines(problem, result, width=min(width, 100), glyphs=self.glyphs)]
        where = step.standing
        due = [move.name for move in where.legal if move.due] if where else []
        stood = (where.connection, where.lab.state, where.server.state, due) if where else None
        news = bool(step.line and step.entries) or stood != self._stood or bool(step.problems)
        self._stood = stood
        if self.panel and news and where is not None:
            web = session.hand.web
            said = websocket_in_words(web, session.bench.now()) if web is not None else ""
            below = panel(where, width=width, glyphs=self.glyphs, websocket=said)
            if rows is not None and len(lines) + len(below) + 3 > rows:
                where = replace(where, illegal=())
                below = panel(where, width=width, glyphs=self.glyphs, websocket=said, more=SHORT)
                if below[-1][0][0] != _MARGIN + OTHERWISE + SHORT:
                    below.append([(_MARGIN + "`legal` shows what is not legal, too", "dim")])
            lines += [[], *below]
        return lines

    def _folds(self, entry: Packet | Call) -> bool:
        """Whether it repeats what was drawn while nobody typed: a server's timers go on as long as it has no answer."""
        if not isinstance(entry, Packet) or entry.segment is None or entry.note not in BY_TIMER:
            return False
        look = (entry.connection, entry.sender, entry.segment.flags, entry.segment.seq)
        if look in self._drawn or self._patient:
            self._held.append(entry)
            return True
        self._drawn.add(look)
        return False

    def _told_of_repeats(self, width: int) -> list[Line]:
        self._drawn.clear()
        held, self._held = self._held, []
        if not held:
            return []
        times = "once" if len(held) == 1 else f"{len(held)} times"
        text = f"meanwhile the server repeated itself {times}, the last time at {seconds(held[-1].time)}"
        return wrapped(f"{self.glyphs.ellipsis} {text}", width, style="dim", first=_MARGIN)

    def entries(self, session: Session, width: int, entries: Sequence[object]) -> list[Line]:
        """What came while the person waits."""
        return self._ladder.lines(entries, session.result(), width=width, glyphs=self.glyphs)  # type: ignore[arg-type]


def panel(standing: Standing, *, width: int, glyphs: Glyphs, websocket: str = "", more: str = MORE) -> list[Line]:
    """Where a connection stands, and what may come next.

    `websocket` is where a WebSocket on it stands; `more` says where to read of a move that may be answered otherwise.
    """
    width = min(width, 120)
    lines = _variables(standing, width)
    lines += _kernel(standing, width, glyphs)
    lines += _witnesses(standing, width, glyphs)
    if websocket:
        lines += wrapped(websocket, width, first=_MARGIN, then=_MARGIN + "  ")
    return [*lines, *table(standing, width=width, glyphs=glyphs, more=more)]


def _variables(standing: Standing, width: int) -> list[Line]:
    names = ("SND.UNA", "SND.NXT", "SND.WND", "RCV.NXT", "RCV.WND")
    column = 9 if width >= 72 else 8
    head = _first("", width) + "state".ljust(_state(width)) + "".join(name.rjust(column) for name in names)
    lines: list[Line] = [[(head, "dim")]]
    for who, style, end in (("lab", "peer", standing.lab), ("server", "server", standing.server)):
        values = "".join(f" {'-' if v is None else v}".rjust(column) for v in _values(end))
        lines.append([(_first(who, width), style), (str(end.state).ljust(_state(width)), style), (values, "")])
    return lines


def _first(who: str, width: int) -> str:
    """Whose line it is."""
    return _MARGIN + who.ljust(8) if width >= 72 else " " + who.ljust(7)


def _state(width: int) -> int:
    return _STATE if width >= 72 else _STATE - 1


def _values(end: End) -> tuple[int | None, ...]:
    return end.snd_una, end.snd_nxt, end.snd_wnd, end.rcv_nxt, end.rcv_wnd


def _kernel(standing: Standing, width: int, glyphs: Glyphs) -> list[Line]:
    if standing.kernel is None:
        said = "not asked yet" if standing.earlier else "cannot be asked"
        return [[(_first("kernel", width), "dim"), (said, "dim")]]
    state = str(standing.kernel).ljust(_state(width))
    line: Line = [(_first("kernel", width), "server"), (state, "server")]
    info = standing.info
    if standing.earlier:
        line[1:] = [(state, "dim"), ("  when it was asked last, before this", "dim")]
    elif standing.kernel is State.CLOSED:
        # To a kernel a listener is no connection: "CLOSED" beside LISTEN would look like a contradiction.
        line[1:] = [("no socket of this connection", "dim")]
    elif "rto" in info:
        said = f"  rto {info['rto'] / 1e6:.3g} s {glyphs.dot} cwnd {info.get('snd_cwnd', 0)} {glyphs.dot} "
        said += f"unacked {info.get('unacked', 0)} {glyphs.dot} retransmits {info.get('total_retrans', 0)}"
        line.append((cut(said, width - 23, glyphs), "dim"))
    return [line]


def _witnesses(standing: Standing, width: int, glyphs: Glyphs) -> list[Line]:
    rule = f" ({standing.rule})" if standing.rule else ""
    if standing.objection:
        return wrapped(
            f"{glyphs.cross} {standing.objection}{rule}", width, style="bad", first=_MARGIN, then=_MARGIN + "  "
        )
    asked = standing.kernel is not None and not standing.earlier
    agree = "wire, socket and model agree" if asked else "wire and model agree"
    habit = "" if standing.profile == RFC9293.name else f", as the profile {standing.profile!r} has it"
    return wrapped(f"{glyphs.check} {agree}{rule}{habit}", width, style="good", first=_MARGIN, then=_MARGIN + "  ")


def websocket_in_words(web: Web, now: float, *, hints: bool = True) -> str:
    """Where a WebSocket stands at `now`, what its server owes, and with `hints` which commands may come next."""
    owed = [f"the server owes {one.what} ({one.section})" for one in web.owed(now)]
    may = _WS_NEXT[web.state] if web.dialogue.request is None or web.state is not WebState.CONNECTING else ()
    said = [*owed, *([", ".join(may)] * bool(may and hints))]
    return f"WebSocket {web.state}" + (": " if said else "") + "; ".join(said)


def table(standing: Standing, *, width: int, glyphs: Glyphs, more: str = MORE) -> list[Line]:
    """What may come next, a line each: what is done, what the server says to it, where both ends are then."""
    if not standing.legal and not standing.illegal:
        return []
    says = 16 if width >= 72 else 10
    room = width - len(_MARGIN) - says - 2 * _STATE
    lines: list[Line] = []
    otherwise = False
    for head, some in (("legal now", standing.legal), ("not legal", standing.illegal)):
        if some:
            columns = ("server says".ljust(says) if says > 10 else "says".ljust(says)) + "lab".ljust(_STATE) + "server"
            lines.append([(_MARGIN + head.ljust(room) + columns, "dim")])
        for move in some:
            answer = move.answers[0]
            star = " *" if len(move.answers) > 1 or _may_be_silent(answer) else ""
            otherwise = otherwise or bool(star)
            name, style = _named(move, standing)
            pieces = wrapped(name + star, room - 3)
            for i, [(piece, _)] in enumerate(pieces):
                line: Line = [(_MARGIN + "  ", ""), (piece.ljust(room - 2), style)]
                if i == 0:
                    line += _comes(answer, says, standing, glyphs, dim=not move.legal)
                lines.append(line)
    if otherwise:
        lines.append([(_MARGIN + OTHERWISE + more, "dim")])
    return lines


def _comes(answer: Answer, says: int, standing: Standing, glyphs: Glyphs, *, dim: bool) -> Line:
    said = ", ".join(segment_in_words(s) for s in answer.segments)
    said = f"{glyphs.left} {said}" if said else "nothing"
    moved = "dim" if dim or answer.lab is standing.lab.state else "peer"
    theirs = "dim" if dim or answer.server is standing.server.state else "server"
    ours = str(answer.lab).ljust(_STATE)
    return [
        (cut(said, says - 1, glyphs).ljust(says), "dim" if dim else ""),
        (ours, moved),
        (str(answer.server), theirs),
    ]


def _named(move: Move, standing: Standing) -> tuple[str, str]:
    """What is done, and its style."""
    if not move.legal:
        assert move.segment is not None, "no call is tried that the model does not allow"
        return f"{flag_words(move.segment.flags)}: {move.about}", "warn"
    return typed(move, standing) + (f"  {move.about}" if move.due else ""), "good" if move.due else ""


def typed(move: Move, standing: Standing) -> str:
    """What a person types to make a legal move."""
    if move.by == "lab":
        return _TYPED.get(move.name, move.name)
    if move.name == "close" and standing.server.state in NO_CONNECTION:  # of the listener
        return "server stop"
    return f"server {move.name}" + (' "hello"' if move.name == "send" else "")


def every_way(move: Move, standing: Standing, as_typed: str, *, width: int, glyphs: Glyphs) -> list[Line]:
    """A move with each way in which it may be answered, and each section."""
    style = "good" if move.due else "" if move.legal else "warn"
    lines = wrapped(as_typed or typed(move, standing), width, style=style, first=_MARGIN, then=_MARGIN * 2)
    if move.about:
        about = f"{glyphs.dot} {move.about}"
        if width_of(lines[-1]) + 2 + len(about) <= width:
            lines[-1].append((f"  {about}", "dim"))
        else:
            lines += wrapped(about, width, style="dim", first=_MARGIN * 3, then=_MARGIN * 4)
    for i, answer in enumerate(move.answers):
        said = ("or " if i else "") + outcome(answer, glyphs)
        lines += wrapped(f"{said}  ({answer.rule})", width, style="dim", first=_MARGIN * 3, then=_MARGIN * 4)
    return lines


def outcome(answer: Answer, glyphs: Glyphs) -> str:
    """What comes of it, in a line: what the server says, and where both ends are then."""
    said = ", ".join(f"{glyphs.left} {segment_in_words(s)}" for s in answer.segments) or "silence"
    said += f", {glyphs.ellipsis}" if answer.more else ""
    if answer.due and answer.segments:
        said += f" within {answer.due:g} s"
    said += ", or nothing yet" if _may_be_silent(answer) else ""
    return f"{said} {arrow(glyphs)} lab {answer.lab}, server {answer.server}"


def _may_be_silent(answer: Answer) -> bool:
    return answer.optional and bool(answer.segments)


def arrow(glyphs: Glyphs) -> str:
    """ "Leads to"."""
    return "→" if glyphs.right == "►" else "->"


def segment_in_words(segment: Segment) -> str:
    """The control bits and what it carries."""
    said = flag_words(segment.flags)
    return said + (f" len {len(segment.payload)}" if segment.payload else "")
