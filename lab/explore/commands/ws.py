"""Commands of WebSocket: each sends one segment made by hand, with a request or a frame in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.explore.commands.numbers import whole
from lab.explore.commands.segments import octets_of
from lab.explore.errors import CommandError
from lab.explore.overdue import miss_websocket
from lab.explore.play import Play
from lab.explore.script.scribe import argument, quoted
from lab.explore.session import Session
from lab.explore.web import Web
from lab.scenario.bench import PATIENCE
from lab.tcp.segment import ACK, PSH, SYN, letters
from lab.tcp.state import NO_CONNECTION, State
from lab.websocket import frames
from lab.websocket.dialogue import State as Standing
from lab.websocket.frames import Frame, Opcode, text
from lab.websocket.handshake import Request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""Sec-WebSocket-Key of every session, RFC 6455 §1.3's own: what comes back is the same each time."""
MASK = bytes.fromhex("37fa213d")
"""The masking key, RFC 6455 §5.7's own."""
ECHO = 0.5
"""Seconds to wait for a service's answer that no document promises."""


def open_(session: Session, rest: str) -> None:
    """The opening handshake (RFC 6455 §4.1), behind TCP's own where the connection is not open yet."""
    path = rest.strip() or home(session)
    if not path.startswith("/"):
        raise CommandError(f"{path} is no path", "write `ws open /echo`; `help ws open` names the others")
    play = session.hand
    if play.web is None:
        if not play.fresh:
            play = session.another()
        to_service(session, play, path)
    elif play.web.state is not Standing.CONNECTING or play.web.dialogue.request is not None:
        raise CommandError("the request has gone out on this connection already", "`new ws` takes another one")
    web = _web(session)
    if rest.strip() and web.site.resource != path:
        web.site = web.site.at(path)
    _open_tcp(session, play)
    session.scribe.visits(web.site.resource)
    request = Request.upgrade(web.site.authority, web.site.resource, key=KEY)
    session.scribe.uses("lab.websocket.handshake", "Request")
    code = f"Request.upgrade(site.authority, site.resource, key={quoted(KEY)}).encode()"
    _send(session, play, request.encode(), code)
    _await(session, lambda: web.dialogue.response is not None or bool(web.dialogue.server_ended), PATIENCE)


def text_(session: Session, rest: str) -> None:
    """A text message."""
    _message(session, rest, "text", lambda data: text(data))


def binary(session: Session, rest: str) -> None:
    """A binary message."""
    _message(session, rest, "binary", lambda data: frames.binary(data))


def continuation(session: Session, rest: str) -> None:
    """The next fragment of a message begun with `more` (RFC 6455 §5.4)."""
    _message(session, rest, "continuation", lambda data: frames.continuation(data))


def ping(session: Session, rest: str) -> None:
    """A Ping, whose Pong must carry the same octets (RFC 6455 §5.5.2)."""
    _message(session, rest, "ping", lambda data: frames.ping(data))


def pong(session: Session, rest: str) -> None:
    """A Pong, asked for or not (RFC 6455 §5.5.3)."""
    _message(session, rest, "pong", lambda data: frames.pong(data))


def close(session: Session, rest: str) -> None:
    """A Close, with a code and a reason where they are given (RFC 6455 §5.5.1)."""
    word, _, reason = rest.strip().partition(" ")
    code = whole(word)
    if word and (code is None or not 0 <= code < 2**16):
        raise CommandError(f"{word} is no close code", 'write `ws close`, `ws close 1000` or `ws close 1000 "bye"`')
    why = octets_of(session, reason, "ws close")
    arguments = ", ".join([str(code)] * (code is not None) + [argument(why)] * bool(why))
    _frame(session, frames.close(code, why), f"close({arguments})", "close")


def to_service(session: Session, play: Play, path: str) -> None:
    """Lead a connection on which nothing has happened to a resource of the WebSocket server. Raises CommandError."""
    if session.testbed.agent is None and not getattr(session.testbed, "resource", None):
        raise CommandError("this target is no WebSocket server", "`--target ws://HOST:PORT/PATH` names one")
    known = next((p.web.site for p in session.plays.values() if p.web), None)
    if known is None:
        known = session.server.websocket(path)
    elif known.resource != path:
        known = known.at(path)
    session.scribe.visits(known.resource)
    session.bench.turn_to(play.connection, known.port)
    session.scribe.turns(play, "site")
    play.web = Web(known, session.echoing)


def home(session: Session) -> str:
    """The resource that is meant where none is named: a target's, or the lab's own server's first one."""
    return getattr(session.testbed, "resource", None) or "/echo"


def _open_tcp(session: Session, play: Play) -> None:
    """SYN and ACK by hand, where they have not gone out yet."""
    from scapy.layers.inet import TCP

    bench, connection = session.bench, play.connection
    if play.peer.state in NO_CONNECTION:
        session.send(play, TCP(flags=letters(SYN)))
        play.lives += 1
        bench.wait_until(lambda: connection.server_spoke, PATIENCE)
    if play.peer.state is State.ESTABLISHED and connection.server_state is State.SYN_RECEIVED:
        session.send(play, TCP(flags=letters(ACK)))
    if play.peer.state is not State.ESTABLISHED:
        raise CommandError(
            f"our end of the connection is in {play.peer.state}, where no request can go out", "`new ws`"
        )


def _message(session: Session, rest: str, kind: str, make: Callable[[bytes], Frame]) -> None:
    """A frame with what stands behind the command: octets, and the words that make it a wrong one."""
    words = rest.strip()
    changes: dict[str, object] = {}
    unmasked = False
    while words and (word := words.rsplit(None, 1)[-1]) in ("more", "unmasked", "rsv1", "rsv2", "rsv3"):
        words = words[: -len(word)].rstrip()
        if word == "unmasked":
            unmasked = True
        elif word == "more":
            changes["fin"] = False
        else:
            changes["rsv"] = int(str(changes.get("rsv", 0))) | {"rsv1": 4, "rsv2": 2, "rsv3": 1}[word]
    data = octets_of(session, words, f"ws {kind}")
    if not words and kind in ("text", "binary", "continuation"):
        raise CommandError("no message was given", f'write `ws {kind} "hello"`; an empty one is `ws {kind} b""`')
    if kind == "binary" and not words.startswith("b") and not data.isascii():
        raise CommandError(
            f"what stands in {words} is text, and would be sent as UTF-8, in {len(data)} octets",
            'write octets as b"\\x00\\xff"',
        )
    frame = replace(make(data), **changes) if changes else make(data)  # type: ignore[arg-type]
    said = ", ".join([argument(data)] * bool(data) + [f"{name}={value}" for name, value in changes.items()])
    _frame(session, frame, f"{kind}({said})", kind, unmasked=unmasked)


def _frame(session: Session, frame: Frame, code: str, kind: str, *, unmasked: bool = False) -> None:
    web = _web(session)
    play = session.hand
    if web.dialogue.request is None or play.peer.state is State.CLOSED:
        raise CommandError("there is no WebSocket connection here", "`ws open` opens one")
    out = frame if unmasked else frame.masked(MASK)
    session.scribe.uses("lab.websocket.frames", code.partition("(")[0])
    if not unmasked:
        code += f".masked({quoted(MASK)})"
    heard, now = len(web.seen), session.bench.now()
    _send(session, play, out.encode(), f"{code}.encode()")
    answered = frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION) and frame.fin
    if answered and web.dialogue.broken is None:
        _await(session, lambda: len(web.seen) > heard or bool(web.dialogue.server_ended), ECHO)
    _await(session, lambda: not any(owed.since >= now for owed in web.owed(session.bench.now())), PATIENCE)
    miss_websocket(session, play)


def _send(session: Session, play: Play, octets: bytes, code: str) -> None:
    from scapy.layers.inet import TCP

    written = f'TCP(flags="{letters(PSH | ACK)}") / {code}'
    session.send(play, TCP(flags=letters(PSH | ACK)) / octets, code=written)


def _await(session: Session, holds: Callable[[], bool], seconds: float) -> None:
    """Let the service answer: it is a program on another processor."""
    session.bench.wait_until(lambda: holds() or session.interrupted or bool(session.bench.open_problems), seconds)


def _web(session: Session) -> Web:
    web = session.hand.web
    if web is None:
        raise CommandError("this connection leads to no WebSocket server", "`ws open` takes one that does")
    return web
