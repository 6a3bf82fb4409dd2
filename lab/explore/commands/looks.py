"""Commands that look and change nothing: why, layers, diagram, predict, states, ladder, legal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.explore.commands.answers import answers
from lab.explore.commands.numbers import whole
from lab.explore.commands.program import socket_of
from lab.explore.commands.segments import octets_of
from lab.explore.errors import CommandError
from lab.explore.guide import Guide
from lab.explore.session import Session, opening
from lab.explore.view import every_way, outcome, segment_in_words
from lab.report.ladder import ladder as whole_ladder
from lab.report.problem import problem_lines
from lab.report.text import Glyphs, Line, said, wrapped
from lab.scenario.record import DELAYED, LOST, Call, Packet, Verdict
from lab.tcp.prediction import CALLS, HELLO, WAITS, Answer, predict, predict_call
from lab.tcp.profile import CHOICES
from lab.tcp.state import State
from lab.tcp.world import BY_TIMER
from lab.wire.codec import TcpFrame, decode

MOST_QUOTED = 40
"""Octets that are told in full."""
MOST_RULES = 2
"""Requirements of a section that `why` quotes."""
ALIKE = 3
"""Words that a requirement must share with the sentence that explains, to be quoted beside it."""
_SMALL = frozenset({"the", "and", "its", "that", "for", "has", "not", "with", "was", "are", "may", "one"})
_MARGIN = "  "


@dataclass(frozen=True, slots=True)
class Page:
    """Where something is to be shown."""

    session: Session
    width: int
    glyphs: Glyphs
    guide: Guide | None = None
    """Who leads the person, where somebody does."""


def why(page: Page, rest: str) -> list[Line]:
    """The last reaction, with the rule and its section."""
    session, glyphs = page.session, page.glyphs
    play = session.hand
    best = play.connection.conversation.server.best
    if not play.sent and play.connection.last_seen is None:
        raise CommandError("nothing has happened on this connection", "`syn` begins it")
    at, occasion = _occasion(page)
    lines = wrapped(f"{occasion}.", page.width)
    decided = session.bench.timeline[at] if session.bench.timeline else None
    call = decided.text.partition("(")[0] if isinstance(decided, Call) and occasion.endswith(_SILENT) else ""
    if call in WAITS and best.endpoint.snd_una != best.endpoint.snd_nxt:
        lines += wrapped(f"Nothing came of it yet: {WAITS[call]}.", page.width, style="head")
    wrong = [
        problem
        for end, problem in session.found
        if end > at and problem.verdict is Verdict.VIOLATES and problem.connection == play.name
    ]
    if wrong:  # whatever it meant by that, it is not what the documents have
        lines += problem_lines(wrong[0], session.result(), width=min(page.width, 100), glyphs=glyphs)
        return lines
    lines += answers(play.web, page.width)
    if not best.why:
        return [*lines, *wrapped("Nothing has come yet that it had to decide about.", page.width)]
    lines += wrapped(f"In its words: {best.why}.", page.width, style="head")
    lines.append([("Rule: ", "dim"), (best.rule, "")])
    for choice in best.choices:
        one = CHOICES[choice]
        lines += wrapped(f"{one.verdict}: {one.says} ({one.source or one.section})", page.width, style="warn")
    lines += _requirements(best.rule, f"{best.why} {best.endpoint.state}", page)
    owed = play.connection.conversation.owed
    for reply in owed:
        answer = segment_in_words(reply.segment)
        lines += wrapped(f"Your end owes an answer: {answer} ({reply.rule}).", page.width, style="good")
    return lines


def _occasion(page: Page) -> tuple[int, str]:
    """What the server decided about last, one of our segments or a call, and what it said then: where, and in words.

    What its timers repeat decides nothing, and neither does a program that takes or reads.
    """
    session, glyphs = page.session, page.glyphs
    connection = session.hand.connection
    answers: list[str] = []
    for at, entry in reversed(list(enumerate(session.bench.timeline))):
        if entry.connection != connection.name:
            continue
        if isinstance(entry, Call):
            if entry.kind != "call" or not entry.text.startswith(_DECIDES):
                continue
            return at, f"Its program's {entry.text}: the server {_answered(answers)}"
        if entry.segment is None or entry.note in BY_TIMER | {LOST, DELAYED}:
            continue
        notation = said(connection.notation(entry.segment, from_peer=entry.sender == "peer"), glyphs)
        if entry.sender == "peer":
            sent = f"{notation.removeprefix(f'{glyphs.right} ')} (frame {entry.number})"
            return at, f"To your {sent} it {_answered(answers)}"
        if entry.sender == "server":
            answers.insert(0, f"{notation.removeprefix(f'{glyphs.left} ')} (frame {entry.number})")
    return 0, f"By itself the server {_answered(answers)}"


_DECIDES = ("connect", "send", "shutdown", "close", "abort")
"""Calls that a connection's state or segments depend on, as the record begins them."""


def _answered(segments: list[str]) -> str:
    return f"said {', '.join(segments)}" if segments else _SILENT


_SILENT = "said nothing"


def _requirements(rule: str, why: str, page: Page) -> list[Line]:
    """What the tables have of that section and speaks of the same things."""
    from lab.requirements import requirements

    document, _, section = rule.partition(" §")
    tables = {"RFC 9293": "rfc9293", "RFC 6455": "rfc6455"}
    if document not in tables or not section:
        return []
    section = section.split()[0]
    found = [r for r in requirements().values() if r.table == tables[document] and r.section == section]
    about = _words(why)
    found = sorted(found, key=lambda r: -len(about & _words(r.requirement)))
    close = [r for r in found if len(about & _words(r.requirement)) >= ALIKE][:MOST_RULES]
    lines: list[Line] = []
    for one in close:
        lines += wrapped(
            f"{one.level}: {one.requirement} ({one.id})", page.width, style="dim", first=_MARGIN, then=_MARGIN * 2
        )
    return lines


def _words(text: str) -> frozenset[str]:
    """What a sentence is about: its words, but for the small ones."""
    return frozenset(word for word in re.findall(r"[A-Za-z]+", text.lower()) if len(word) > 2) - _SMALL


def layers(page: Page, rest: str) -> list[Line]:
    """The last packet, or that one, by its layers."""
    from lab.layers.dissect import dissect
    from lab.report.layers import Capture
    from lab.report.layers import page as layers_page

    packets = [entry for entry in page.session.bench.timeline if isinstance(entry, Packet)]
    if not packets:
        raise CommandError("no packet has gone either way", "`syn` sends the first")
    word = rest.strip()
    number = whole(word) if word else len(packets)
    if number is None:
        raise CommandError(f"{word} is no packet", f"say its number, 1 to {len(packets)}, or nothing for the last")
    number = number if number > 0 else len(packets) + 1 + number
    if not 1 <= number <= len(packets):
        raise CommandError(f"there is no packet {word}", f"there are {len(packets)}")
    capture = Capture(dissect([p.frame for p in packets]), [p.time for p in packets])
    capture.names = {i: p.connection for i, p in enumerate(packets, 1)}
    return layers_page(capture, number, width=page.width, glyphs=page.glyphs)


def diagram(page: Page, rest: str) -> list[Line]:
    """The state machine, with the way walked so far and where both ends are."""
    from lab.report.diagram import Way
    from lab.report.diagram import diagram as drawn

    play = page.session.hand
    ways = [
        Way(who, style, tuple(states), tuple(events))
        for who, style, (states, events) in (
            ("lab", "peer", play.way("peer")),
            ("server", "server", play.way("server")),
        )
    ]
    return drawn(ways, width=page.width, glyphs=page.glyphs)


def predict_(page: Page, rest: str) -> list[Line]:
    """What would come back, without sending."""
    session = page.session
    play = session.hand
    if rest.split()[:1] == ["server"]:
        return _predict_call(page, rest.strip().removeprefix("server"))
    frame, sent_as = _imagined(session, rest)
    read = decode(frame)
    if not isinstance(read, TcpFrame):
        raise CommandError("the model knows what comes of TCP segments only", "`send` sends it, and shows what comes")
    bench, connection = session.bench, play.connection
    if not bench.belongs(connection, read):
        raise CommandError("that would belong to another connection", "leave ports and addresses out")
    hurdle = bench.hurdle(connection, read)
    answers = predict(connection.conversation, read.segment, bench.now(), hurdle=hurdle)
    lines: list[Line] = [[("if you sent ", "dim"), (said(sent_as, page.glyphs), "peer")]]
    for i, answer in enumerate(answers):
        lines += _answer(answer, page, other=i > 0)
    return lines


def _predict_call(page: Page, rest: str) -> list[Line]:
    """What would come of a call of the server's program."""
    session, play = page.session, page.session.hand
    name, _, rest = rest.strip().partition(" ")
    if name not in (*CALLS, "stop"):
        raise CommandError("which call", f"`predict server close`, or one of {', '.join((*CALLS, 'stop'))}")
    if not play.told:
        raise CommandError("that program does what it likes", "`predict` tells of your own segments here")
    data = octets_of(session, rest, "predict server send") if name == "send" and rest.strip() else HELLO
    listener = name == "stop" and play.connection.server_state is State.LISTEN  # close(), of the listening socket
    called = "close" if listener else name
    answers: tuple[Answer, ...] = ()
    if called in CALLS:
        answers = predict_call(play.connection.conversation, called, session.bench.now(), iss=opening(play), data=data)
    if not answers:
        raise CommandError(f"its program cannot call {name}() now", "`legal` shows what it can")
    if not listener and name not in ("listen", "connect"):
        socket_of(session)
    said = f"{name}({data!r})" if name == "send" and len(data) < MOST_QUOTED else f"{name}()"
    lines: list[Line] = [[("if its program called ", "dim"), (said, "call")]]
    for i, answer in enumerate(answers):
        lines += _answer(answer, page, other=i > 0)
    return lines


def _answer(answer: Answer, page: Page, *, other: bool) -> list[Line]:
    lines = wrapped(
        ("or: " if other else "") + outcome(answer, page.glyphs), page.width, first=_MARGIN, then=_MARGIN * 2
    )
    because = f"{answer.why} ({answer.rule})" if answer.why else answer.rule
    lines += wrapped(because, page.width, style="dim", first=_MARGIN * 2, then=_MARGIN * 2)
    for notice in answer.notices:
        lines += wrapped(f"the server's program is told: {notice}", page.width, style="dim", first=_MARGIN * 2)
    lines += wrapped(f"so says: {', '.join(answer.profiles)}", page.width, style="dim", first=_MARGIN * 2)
    for segment in answer.owes:
        lines += wrapped(f"then you owe {segment_in_words(segment)}", page.width, style="good", first=_MARGIN * 2)
    return lines


def _imagined(session: Session, text: str) -> tuple[bytes, str]:
    """The frame that a command would send, and its segment in a script's notation."""
    from lab.explore.commands import segments

    word, _, more = text.strip().partition(" ")
    if word == "ws":
        raise CommandError("`predict` is about TCP", '`predict data "…"` tells what comes of any octets')
    if not word:
        raise CommandError("which segment", '`predict fin`, `predict data "hello"`, `predict TCP(flags="S", seq=x+7)`')
    play = session.hand
    segments.ready(session)
    if word in segments.PLAIN and not more.strip():
        frame = segments.frame_of(session, play, word)
    elif word == "repeat":
        frame = segments.sent_before(play, more).frame
    elif word == "data":
        from scapy.layers.inet import TCP

        octets = segments.octets_of(session, more, "predict data")
        frame = play.peer.complete(TCP(flags="PA") / octets[: segments.MSS])
    else:
        packet, _ = segments.packet_of(session, more if word in ("send", "replay") else text, "predict")
        frame = play.peer.complete(packet)
    read = decode(frame)
    if isinstance(read, TcpFrame):
        return frame, play.connection.notation(read.segment, from_peer=True)
    return frame, word


def legal(page: Page, rest: str) -> list[Line]:
    """Every move that the model allows now, some that it does not, and every way in which they may be answered."""
    play, where = page.session.hand, page.session.standing(kernel=False)
    width, glyphs = min(page.width, 120), page.glyphs
    lines: list[Line] = [[("legal now", "head")]]
    for move in where.legal:
        lines += every_way(move, where, "", width=width, glyphs=glyphs)
    lines.append([("not legal, and what it would provoke", "head")])
    for move in where.illegal:
        written = page.session.scribe.written(play, move.segment) if move.segment else ""
        lines += every_way(move, where, f"send {written}", width=width, glyphs=glyphs)
    return lines


def states(page: Page, rest: str) -> list[Line]:
    """Every connection: both ends by the model, and the kernel's own word."""
    session, glyphs = page.session, page.glyphs
    lines: list[Line] = [[("    port   lab           server        kernel", "dim")]]
    for play in session.plays.values():
        connection = play.connection
        kernel = "-"
        if not session.over and connection.server_port is not None:
            state = session.bench.ask_state(connection)
            kernel = "cannot be asked" if state is None else "no socket" if state is State.CLOSED else str(state)
        here = glyphs.right if play is session.hand else " "
        lines.append(
            [
                (f"{here} {play.name:2}", "head"),
                (f"{connection.peer_port:<7}", ""),
                (f"{connection.peer_state:14}", "peer"),
                (f"{connection.server_state:14}", "server"),
                (kernel, "server"),
                (f"  WebSocket {play.web.state}" if play.web else "", ""),
            ]
        )
    return lines


def ladder(page: Page, rest: str) -> list[Line]:
    """The whole ladder so far."""
    return whole_ladder(page.session.result(), width=page.width, glyphs=page.glyphs, verdict=False)


def history(page: Page, rest: str) -> list[Line]:
    """The commands that were done."""
    if not page.session.lines:
        return [[("no command has been done yet", "dim")]]
    return [[(f"{i:3}  ", "dim"), (line, "")] for i, line in enumerate(page.session.lines, 1)]
