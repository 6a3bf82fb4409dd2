"""What the server should have said by now, by itself: its program's text and FIN, and what WebSocket asks of it.

A scenario expects each segment by name. A person at a prompt expects nothing in so many words, so that what never comes
has to be missed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.bench import PATIENCE
from lab.tcp.state import State
from lab.tcp.world import Finding, World

if TYPE_CHECKING:
    from lab.explore.play import Play
    from lab.explore.session import Session

_SENDS = (State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
ROOM = 2**10
"""Octets of our window: with less of it a service may wait before it says a word."""


def await_what_is_due(session: Session) -> None:
    """Wait for what a program's call has to bring at once, and note what does not come."""
    bench = session.bench
    if any(map(_keeps_back, session.plays.values())):
        bench.wait_until(lambda: not any(map(_keeps_back, session.plays.values())), PATIENCE)
    for play in session.plays.values():
        if _keeps_back(play):
            _object(session, play, _kept_back(play))


def _keeps_back(play: Play) -> bool:
    """Whether the server has text or a FIN to send, and nothing that it could wait for.

    All before it is acknowledged and our window is open: Nagle's algorithm (RFC 9293 §3.7.4) holds nothing back then.
    """
    return play.told and not play.missed and all(map(_could_send, play.connection.conversation.server.worlds))


def _could_send(world: World) -> bool:
    end = world.endpoint
    text, fin = bool(end.unsent), end.fin_queued and end.fin_seq is None
    idle = end.snd_una == end.snd_nxt and end.state in _SENDS
    # A FIN uses up a number, and a stack may wait until the window has room for it (RFC 9293 §3.4, §3.8.6).
    return idle and (text or fin) and end.snd_wnd > 0


def _kept_back(play: Play) -> Finding:
    end = play.connection.conversation.server.best.endpoint
    what = f"{end.unsent} octets of text" if end.unsent else "a FIN"
    section = "RFC 9293 §3.10.2" if end.unsent else "RFC 9293 §3.10.4"
    message = f"the server's program has {'sent text' if end.unsent else 'closed'}, and nothing tells us"
    return Finding("silence", what, f"nothing for {PATIENCE:g} s", message, section)


def await_websockets(session: Session) -> None:
    """The session is over: what servers owe by RFC 6455 has to come now."""
    bench = session.bench
    some = [play for play in session.plays.values() if play.web is not None]
    bench.wait_until(lambda: not any(_owes(session, play) for play in some), PATIENCE)
    for play in some:
        miss_websocket(session, play)


def miss_websocket(session: Session, play: Play) -> None:
    """Note what the server has owed for long by RFC 6455."""
    now = session.bench.now()
    if not _owes(session, play) or play.web is None:
        return
    late = [one for one in play.web.owed(now) if now - one.since >= PATIENCE]
    # A server that believes in a loss may keep its FIN until its Close is acknowledged (RFC 5681 §3.1): its kernel
    # knows whether the program has closed.
    state = session.bench.ask_state(play.connection)
    if late and state in (None, State.ESTABLISHED, State.CLOSE_WAIT):
        what = late[0].what
        message = f"the server owes {what} and has not sent it"
        _object(session, play, Finding("silence", what, "nothing", message, late[0].section), "websocket")


def _owes(session: Session, play: Play) -> bool:
    """Whether the server owes something by RFC 6455, and could say it."""
    if play.web is None or play.missed or play.web.dialogue.server_ended or not play.web.owed(session.bench.now()):
        return False
    end = play.connection.conversation.server.best.endpoint
    # As long as we have not acknowledged what it said before, Nagle's algorithm may hold back the rest.
    held = end.snd_nxt != end.snd_una and not _only_its_fin(play)
    return not held and end.snd_wnd >= ROOM and end.state in (State.ESTABLISHED, State.CLOSE_WAIT)


def _only_its_fin(play: Play) -> bool:
    """Whether the server has said its Close, and all that it still owes is the end of TCP (RFC 6455 §7.1.1).

    Nagle's algorithm holds back text alone (RFC 9293 §3.7.4).
    """
    end = play.connection.conversation.server.best.endpoint
    said = play.web is not None and play.web.dialogue.server_close is not None
    return said and end.snd_nxt.ahead_of(end.snd_una) < end.send_mss


def _object(session: Session, play: Play, finding: Finding, witness: str = "model") -> None:
    play.missed = True  # said once: what comes behind it is missing as well
    bench = session.bench
    bench.add(bench.problem_of(play.connection, finding, None, witness))
