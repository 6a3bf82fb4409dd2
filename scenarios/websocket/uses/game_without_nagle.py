from typing import Any

from lab.scenario import Peer, Server, scenario
from lab.scenario.server import Site
from lab.scenario.websocket import WebSocket
from lab.websocket.frames import text

SOON = 0.15
"""Seconds. Before so long no server repeats anything (RFC 6298 has 1 s, Linux 0.2 s at least)."""


@scenario(
    "A game does not wait for acknowledgements",
    documents=["RFC 9293 §3.7.4", "RFC 6455 §1.1"],
    evidence_for=["MUST-17", "9293-3.7.4-nagle-rule", "6455-6.1-transmit", "6455-5.1-data-any-time"],
    needs="services",
)
def game_without_nagle(peer: Peer, server: Server) -> None:
    """Many small moves in a row, and a small state for each. Nagle's algorithm would let one small segment out and hold
    the others back until it is acknowledged. The server's program has switched that off: all states come, though none
    of our ACKs does.
    """
    for attempt in range(6):
        # On a field of its own: the states that others' moves bring would fill the server's congestion window.
        ws, own = _joins(peer.another() if attempt else peer, server.websocket(f"/game/{peer.port}-{attempt}"))
        small, calm = _plays(ws, own)
        ws.leave(pushed=True)
        if small >= 3 or calm:
            break
        # This machine is so busy that our ACKs came late: the server's TCP believes in a loss, and sends less.
    peer.check(
        small >= 3, "payload", "several small segments", str(small),
        "the server sends the next small segment though the one before is not acknowledged",
    )  # fmt: skip


def _plays(ws: WebSocket, own: str) -> tuple[int, bool]:
    """Six moves, whose states we do not acknowledge: in how many small segments they came, and whether all was calm."""
    player, moves = ws.peer, range(1, 7)
    with ws.held() as inputs:
        ws.send(*(text('{"type":"move","dx":1,"dy":0}') for _ in moves))
    acknowledged, before, began = inputs[-1].ack, len(player.segments()), player.now()
    ws.put(*inputs)
    with ws.held() as acks:  # as long as the server's TCP does not believe in a loss
        last = f'"by":"{own}","input":{moves[-1]},'.encode()
        player.sees(
            lambda p: p.segment is not None and (last in p.segment.payload or not _is_calm(player)),
            "a state for the last move", section="RFC 9293 §3.7.4",
        )  # fmt: skip
        calm = _is_calm(player) and player.now() - began < SOON
        answers = [p for p in player.segments()[before:] if p.sender == "server" and p.segment and p.segment.payload]
        told = [p.segment.ack for p in player.segments() if p.sender == "peer" and p.segment][-1]
    ws.put(*acks)
    player.check(told == acknowledged, "ack", str(acknowledged), str(told), "none of them was acknowledged by us")
    states: list[dict[str, Any]] = []
    while len(states) < len(moves):
        state = ws.hear(type="state")
        states += [state] if state["by"] == own else []
    player.check(
        [state["input"] for state in states] == list(moves), "payload", "a state for each move, in order",
        str([state["input"] for state in states]), "each move is answered with a state",
    )  # fmt: skip
    small = {p.segment.seq for p in answers if p.segment is not None and len(p.segment.payload) < 536}
    return len(small), calm


def _joins(player: Peer, field: Site) -> tuple[WebSocket, str]:
    """A player who is in the game, and its name there."""
    ws = player.websocket(field)
    ws.open()
    own = ws.hear(type="welcome")["you"]
    ws.hear(type="state", by=own, input=0)
    return ws, own


def _is_calm(player: Peer) -> bool:
    """Whether the server has said nothing twice yet."""
    said = [p.seq for p in player.segments() if p.sender == "server" and p.segment and p.segment.length]
    return len(said) == len(set(said))
