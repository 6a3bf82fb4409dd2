"""Commands of our end: the segments that a person sends."""

from __future__ import annotations

from lab.explore.errors import CommandError
from lab.explore.play import Play
from lab.explore.session import LATER, Session, opening
from lab.scenario.record import Packet
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Flags, letters
from lab.tcp.state import NO_CONNECTION

MSS = 1440
"""Octets of text that one segment takes, where nothing less was agreed: an Ethernet frame's worth over IPv6, so that a
session can be played again over either family."""


def syn(session: Session, rest: str) -> None:
    """SYN: seq=x. On a connection that is over, another life of it begins, with another first number."""
    play = ready(session)
    _nothing_behind(rest, "syn")
    if opening(play) != play.connection.iss:
        session.scribe.begins_anew(play, LATER)
    play.lives += 1
    _send(session, play, SYN)


def synack(session: Session, rest: str) -> None:
    """SYN+ACK: our answer to a SYN of the server's kernel."""
    play = ready(session)
    _nothing_behind(rest, "synack")
    if play.connection.conversation.server_isn is None:
        raise CommandError(
            "no SYN of the server has come that it could answer",
            '`server connect` lets its kernel call you, or `send TCP(flags="SA", ack=1)` sends one all the same',
        )
    play.lives += 1
    _send(session, play, SYN | ACK)


def ack(session: Session, rest: str) -> None:
    """A bare ACK of all that has come."""
    play = ready(session)
    _nothing_behind(rest, "ack")
    _begun(play, "acknowledge", 'send TCP(flags="A", seq=x+1, ack=1)')
    _send(session, play, ACK)


def fin(session: Session, rest: str) -> None:
    """FIN+ACK: we have nothing more to say (RFC 9293 §3.10.4)."""
    play = ready(session)
    _nothing_behind(rest, "fin")
    _begun(play, "close", 'send TCP(flags="FA", seq=x+1, ack=1)')
    _send(session, play, FIN | ACK)


def rst(session: Session, rest: str) -> None:
    """RST: the connection ends at once (RFC 9293 §3.10.5); in answer to a SYN it says that nobody is here."""
    play = ready(session)
    _nothing_behind(rest, "rst")
    if play.connection.conversation.server_isn is None and not play.sent:
        raise CommandError(
            "there is nothing to reset: no segment has gone either way",
            '`syn` opens a connection, or `send TCP(flags="R", seq=x)` sends one all the same',
        )
    owed = _owed_reset(session, play)
    if owed is not None:
        session.put(play, owed)
        return
    _send(session, play, _reset_of(play))


def data(session: Session, rest: str) -> None:
    """Text, in as many segments as it takes, each with PSH and ACK."""
    play = ready(session)
    text = octets_of(session, rest, "data")
    if not text:
        raise CommandError("no octets to send", 'say which: `data "hello"`')
    _begun(play, "send text on", 'send TCP(flags="PA", seq=x+1, ack=1)/b"…"')
    send_text(session, play, text)


def send_text(session: Session, play: Play, text: bytes) -> None:
    """Send octets in segments that fit the path."""
    from scapy.layers.inet import TCP

    most = max(1, min(play.connection.conversation.peer.send_mss, MSS))
    for at in range(0, len(text), most):
        session.send(play, TCP(flags=letters(PSH | ACK)) / text[at : at + most])


def send(session: Session, rest: str) -> None:
    """Any packet, right or wrong, as Scapy writes it."""
    play = ready(session)
    packet, code = packet_of(session, rest, "send")
    session.send(play, packet, code=code)
    play.lives += 1


def replay(session: Session, rest: str) -> None:
    """The network delivers a segment that our end did not send now: an old duplicate (RFC 9293 §3.5 figure 8)."""
    play = ready(session)
    packet, code = packet_of(session, rest, "replay")
    session.send(play, packet, code=code, note="old duplicate", ours=False)


def repeat(session: Session, rest: str) -> None:
    """The same segment again: the last that we sent on this connection, or the one with that number."""
    play = ready(session)
    chosen = sent_before(play, rest)
    session.put(play, chosen.frame, code=play.codes[chosen.number], note="repeated")


def sent_before(play: Play, rest: str) -> Packet:
    """The segment of ours that `repeat` means: `last`, or a number. Raises CommandError."""
    word = rest.strip().removeprefix("last").strip()
    if not play.sent:
        raise CommandError("nothing was sent on this connection yet", "`syn` begins it")
    chosen = play.sent[-1]
    if word:
        found = [packet for packet in play.sent if str(packet.number) == word.removeprefix("#")]
        if not found:
            numbers = ", ".join(str(packet.number) for packet in play.sent[-8:])
            raise CommandError(f"{word} is no segment of ours on this connection", f"ours are {numbers}")
        chosen = found[0]
    return chosen


# What is common to them

PLAIN = ("syn", "synack", "ack", "fin", "rst")
"""Commands that stand alone, and send a segment each."""


def frame_of(session: Session, play: Play, command: str) -> bytes:
    """The frame that a command of PLAIN would send now."""
    from scapy.layers.inet import TCP

    flags = {"syn": SYN, "synack": SYN | ACK, "ack": ACK, "fin": FIN | ACK, "rst": _reset_of(play)}[command]
    owed = _owed_reset(session, play) if command == "rst" else None
    if owed is not None:
        return owed
    segment = TCP(flags=letters(flags))
    if command == "syn" and opening(play) != play.connection.iss:
        segment.seq = int(opening(play))
    return play.peer.complete(segment)


def _owed_reset(session: Session, play: Play) -> bytes | None:
    """The RST that our end owes: its number is the one that will be believed (RFC 9293 §3.10.7.1)."""
    owed = [reply.segment for reply in play.connection.conversation.owed if RST in reply.segment.flags]
    return session.bench.frame_for(owed[0], play.peer.port, session.bench.port_of(play.connection)) if owed else None


def _reset_of(play: Play) -> Flags:
    """A RST that answers a SYN acknowledges it (RFC 9293 §3.10.7.1); so does one of an end that has no number."""
    conversation = play.connection.conversation
    refuses = conversation.peer.iss is None or any(SYN in owed.segment.flags for owed in conversation.owed)
    return RST | ACK if refuses else RST


def packet_of(session: Session, text: str, command: str) -> tuple[object, str]:
    """The packet that an expression describes, and how a scenario writes it. Raises CommandError."""
    from lab.explore.expression.evaluate import LAYERS, ExpressionError, as_script, names_in, packet

    if not text.strip():
        raise CommandError("no packet was given", f'write one as Scapy does: `{command} TCP(flags="S", seq=x)`')
    names = session.names()
    bench = session.bench
    try:
        made = packet(
            text,
            names,
            family=session.family,
            server_address=bench.server_address,
            confined=session.testbed.name != "sandbox",
            peer_address=bench.peer_address,
        )
    except ExpressionError as error:
        raise CommandError(str(error), text=text, at=error.at) from error
    for name in names_in(text) & LAYERS.keys():
        session.scribe.uses(LAYERS[name], name)
    return made, as_script(text, session.script_names())


def octets_of(session: Session, text: str, command: str) -> bytes:
    """Octets as a person types them: a literal in quotes, or words as they are. Raises CommandError."""
    from lab.explore.expression.evaluate import ExpressionError, evaluate
    from lab.explore.expression.fields import octets

    text = text.strip()
    literal = text[:1] in ('"', "'", "(") or text[:2] in ('b"', "b'")
    try:
        return octets(f"`{command}`", evaluate(text, session.names()) if literal else text, 0)
    except ExpressionError as error:
        raise CommandError(str(error), text=text, at=error.at) from error


def _send(session: Session, play: Play, flags: Flags) -> None:
    from scapy.layers.inet import TCP

    session.send(play, TCP(flags=letters(flags)))


def ready(session: Session) -> Play:
    """The connection in hand, which must lead somewhere."""
    play = session.hand
    if play.connection.server_port is None:
        raise CommandError(
            "nothing listens at the server yet, so there is no port to talk to",
            "`server listen` lets its program listen, `new closed` takes a port where nothing does",
        )
    return play


def _begun(play: Play, verb: str, instead: str) -> None:
    """Our end must know a number of the server's to acknowledge."""
    if play.connection.conversation.peer.irs is None or play.peer.state in NO_CONNECTION:
        raise CommandError(
            f"there is no connection to {verb}", f"`syn` opens one, or `{instead}` sends it all the same"
        )


def _nothing_behind(rest: str, command: str) -> None:
    if rest.strip():
        raise CommandError(
            f"`{command}` stands alone, and {rest.strip()!r} stands behind it",
            "`send TCP(…)` sets any field",
        )
