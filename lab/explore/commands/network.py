"""Commands of the network and of the session: what becomes of a segment on its way, other connections, time."""

from __future__ import annotations

from lab.explore.commands.numbers import whole
from lab.explore.errors import CommandError
from lab.explore.session import Session

LONGEST = 600.0
"""Seconds that one `wait` may last."""
NEXT = 10.0
"""Seconds that `wait` alone waits for the next segment."""


def lose(session: Session, rest: str) -> None:
    """Our next segment never arrives."""
    _next(rest, "lose")
    session.lose_next, session.delay_next = True, False
    session.notice = "the next segment that you send will be lost on the way"


def delay(session: Session, rest: str) -> None:
    """Our next segment arrives behind the one after it."""
    _next(rest, "delay")
    session.delay_next, session.lose_next = True, False
    session.notice = "the next segment that you send will arrive behind the one after it"


def wait(session: Session, rest: str) -> None:
    """Let time pass, or wait for the server's next segment. Ctrl-C ends it."""
    word = rest.strip().removesuffix("s").strip()
    if not word:
        session.wait(None, NEXT)
        return
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise CommandError(f"{rest.strip()} is no time to wait", f"say seconds, {LONGEST:g} at most: `wait 1.5`")
    session.wait(seconds, seconds)


def auto(session: Session, rest: str) -> None:
    """Whether the model answers for us."""
    word = rest.strip().lower()
    if word not in ("on", "off"):
        raise CommandError(f"auto is {'on' if session.auto else 'off'}", "say `auto on` or `auto off`")
    session.auto = word == "on"
    session.notice = "the model answers for you" if session.auto else "you answer yourself"


def new(session: Session, rest: str) -> None:
    """Another connection: to the same port, to one where nothing listens, or to the WebSocket service."""
    word = rest.strip()
    if not word:
        session.another()
    elif word == "closed":
        if session.testbed.agent is None:
            raise CommandError("nobody can say which port of this server is closed", "`new` takes the one that listens")
        session.another(session.server.closed_port(), "server.closed_port()")
    elif word in ("ws", "websocket"):
        from lab.explore.commands.ws import home, to_service

        to_service(session, session.another(), home(session))
    else:
        raise CommandError(f"{word} is no place to go", "say `new` (the same port), `new closed` or `new ws`")


def switch(session: Session, rest: str) -> None:
    """Take another connection in hand."""
    word = rest.strip().upper()
    names = list(session.plays)
    number = whole(word)
    if number is not None and 1 <= number <= len(names):
        word = names[number - 1]
    if word not in session.plays:
        said = f"there is no connection {word}" if word else "which connection"
        raise CommandError(said, f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}; `new` makes another")
    session.hand = session.plays[word]


def _next(rest: str, command: str) -> None:
    if rest.strip() not in ("next", ""):
        raise CommandError(f"`{command} next` is all that it can do", "it is about the next segment that you send")
