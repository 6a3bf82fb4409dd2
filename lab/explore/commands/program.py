"""Commands of the server's program: what it calls, and what it is told."""

from __future__ import annotations

from lab.explore.commands.segments import octets_of
from lab.explore.errors import CommandError
from lab.explore.play import Play
from lab.explore.script.scribe import argument
from lab.explore.session import Session
from lab.scenario.server import Socket
from lab.tcp.state import SYNCHRONIZED, State

AT_ONCE = 2**15
"""Octets for which the send buffer of a new connection has room, whoever has opened it."""


def listen(session: Session, rest: str) -> None:
    """listen()."""
    _agent(session)
    if session.listener is not None:
        raise CommandError(f"the program listens already, on port {session.listener.port}", "`syn` knocks there")
    session.listen()


def stop(session: Session, rest: str) -> None:
    """close() of the listening socket: connections that stand go on."""
    _agent(session)
    if session.listener is None:
        raise CommandError("the program does not listen", "`server listen` lets it")
    waiting = [p for p in _pending(session) if p.connection.server_port == session.listener.port]
    if waiting:
        raise CommandError(
            f"connection {waiting[0].name} has come and nobody has taken it: a kernel gives it up with the listener",
            "`server accept` takes it first, or `rst` ends it",
        )
    session.scribe.calls("listener.close()")
    listener, session.listener = session.listener, None
    listener.close()


def accept(session: Session, rest: str) -> None:
    """accept(): the program takes the next connection that stands, the oldest first."""
    _agent(session)
    play = _told(session)
    if session.listener is None:
        raise CommandError("the program does not listen", "`server listen` lets it")
    waiting = session.waiting
    if not waiting:
        if play.socket is not None:
            raise CommandError("the program has taken this connection already", "`server recv` lets it read")
        state = play.connection.server_state
        raise CommandError(
            f"there is nothing to accept: the server's end is in {state}",
            "a connection stands once the third segment has come"
            if state is State.SYN_RECEIVED
            else "`syn` begins one",
        )
    ended = [p for p in session.plays.values() if p.told and not p.taken and p not in waiting and p.stood]
    ended += [p for p in session.plays.values() for _ in range(p.ended)]
    while True:
        socket = session.listener.accept(waiting[0].peer if len(waiting) == 1 and not ended else None)
        taken = session.plays[socket.connection.name]
        taken.socket, taken.taken = socket, True
        names = session.scribe.names(taken)
        session.scribe.calls(f"{names.socket} = listener.accept({names.peer})")
        if taken not in ended:
            return
        taken.ended -= min(taken.ended, 1)
        taken.taken = taken not in waiting
        ended.remove(taken)  # it was reset while it waited, and the kernel gives it to the program all the same


def connect(session: Session, rest: str) -> None:
    """connect(): the program calls us, and its kernel sends a SYN. We are the server now."""
    _agent(session)
    play = session.hand
    if not play.fresh or play.web is not None:
        play = session.another()
    names = session.scribe.names(play)
    session.scribe.meets(play)
    session.scribe.calls(f"{names.socket} = server.connect({names.peer})")
    play.socket, play.taken = session.server.connect(play.peer), True


def send(session: Session, rest: str) -> None:
    """send(): the program writes."""
    text = octets_of(session, rest, "server send")
    if not text:
        raise CommandError("no octets to send", 'say which: `server send "hello"`')
    play, socket = socket_of(session)
    while True:
        # Nobody acknowledges while a kernel is handed octets: with `auto on` they go in a little at a time.
        piece = text[:AT_ONCE] if session.auto else text
        _code(session, play, f"send({argument(piece)})")
        text = text[socket.send(piece) :]
        if not session.auto or not text:
            return
        session.settle()


def recv(session: Session, rest: str) -> None:
    """recv(): the program reads what has come, and it must be what was sent."""
    play, socket = socket_of(session)
    if socket.told_of_end:
        raise CommandError("the program was told already that the connection is gone", "`server close` lets go of it")
    server = play.connection.conversation.server.best
    if server.last.receive_buffer:  # what had come before a RST may be read behind it
        waiting = bytes(server.last.receive_buffer)
        _code(session, play, f"receives({argument(waiting)})")
        socket.receives(waiting)
    elif server.last.fin_received:
        _code(session, play, "receives_end()")
        socket.receives_end()
    elif server.ended is None:
        _code(session, play, "receives_nothing()")
        socket.receives_nothing()
    elif server.ended.notice == "connection aborted due to user timeout":
        _code(session, play, "is_given_up()")
        socket.is_given_up()
    elif not play.stood:
        _code(session, play, "is_refused()")
        socket.is_refused()
    else:
        _code(session, play, "is_reset()")
        socket.is_reset()


def shutdown(session: Session, rest: str) -> None:
    """shutdown(SHUT_WR): nothing more to send; reading goes on (RFC 9293 §3.10.4)."""
    play, socket = socket_of(session)
    _code(session, play, "shutdown()")
    socket.shutdown()


def close(session: Session, rest: str) -> None:
    """close(): the program lets go of the connection."""
    play, socket = socket_of(session)
    _code(session, play, "close()")
    play.socket = None  # its kernel lets go of it, whatever the document says of such a call
    socket.close()


def abort(session: Session, rest: str) -> None:
    """A reset (RFC 9293 §3.10.5)."""
    play, socket = socket_of(session)
    _code(session, play, "abort()")
    play.socket = None
    socket.abort()


def _pending(session: Session) -> list[Play]:
    """Connections that have begun at the listener, and that the program has not taken."""
    begun = (State.SYN_RECEIVED, *SYNCHRONIZED)
    return [p for p in session.plays.values() if p.told and not p.taken and p.connection.server_state in begun]


def _code(session: Session, play: Play, call: str) -> None:
    session.scribe.calls(f"{session.scribe.names(play).socket}.{call}")


def _agent(session: Session) -> None:
    if session.testbed.agent is None:
        raise CommandError(
            "nobody can tell this server's program what to do",
            "the sandbox and `--testbed host` have an agent for that",
        )


def _told(session: Session) -> Play:
    play = session.hand
    if not play.told:
        raise CommandError(
            "this connection's program is a service that does what it likes",
            "`new` takes a connection whose program you tell what to do",
        )
    return play


def socket_of(session: Session) -> tuple[Play, Socket]:
    """The connection in hand, and its program's socket. Raises CommandError where it has none."""
    _agent(session)
    play = _told(session)
    if play.socket is None:
        standing = play.connection.server_state in SYNCHRONIZED
        raise CommandError(
            "the server's program has no socket of this connection",
            "`server accept` lets it take it" if standing else "open it first (`syn`, `ack`), then `server accept`",
        )
    return play, play.socket
