"""What a scenario script needs: `from lab.scenario import Peer, Server, State, scenario`.

    @scenario(title, documents=[…], evidence_for=[…], slow=False, takes=0.0, needs="agent")

    peer.send(TCP(…))           one segment, and all that it provokes is judged
    peer.replay(TCP(…))         an old duplicate, which the network delivers
    peer.expect(TCP(…), within=2.0, not_before=0.0)      the server's next segment, with these fields
    peer.expect_data(b"…")      its next segments carry this; (b"Date: ", 29, b"…") with 29 octets of any kind between
    peer.expect_silence()       nothing more, proven; with seconds: for that long
    peer.open() → x, y          three segments
    peer.check(holds, field, expected, observed, message)    a check of your own
    peer.anew(), peer.another(), peer.towards(port), peer.wait(seconds), peer.now(), peer.say(text)
    peer.iss, peer.snd_nxt, peer.rcv_nxt, peer.port, peer.address, peer.state

    server.listen(**options) → listener    listener.accept(peer) → connection, .has_nothing(), .close()
    server.connect(peer) → connection      server.is_in(State.…), .leaves(State.…, after=, within=), .closed_port()
    connection.send(b"…"), .shutdown(), .close(), .abort(), .set(option, value), .get(option)
    connection.receives(b"…"), .receives_end(), .receives_nothing()
    connection.is_connected(), .is_refused(), .is_reset(), .is_given_up()

    peer.send(TCP(…), fragment=16)      in IPv4 fragments
    peer.sees_layers(("Ethernet", 14), ("IPv4", 20), …, frame=-1)      of what layers a frame is made

WebSocket (needs="websocket", "echo" or "services"), over segments that are all the lab's; frames are made with
`from lab.websocket.frames import binary, close, continuation, ping, pong, text`:

    ws = peer.websocket(server.websocket("/echo"))      ws.open() → the 101, judged in every field
    ws.connect(), ws.request(ws.upgrade(…)), ws.expect_response(101), ws.expect_refused(426)
    ws.text("…"), ws.binary(b"…"), ws.ping(b"…"), ws.close(1000), ws.leave()      as a good client; cut=1 splits
    ws.send(text("…", fin=False), ping(), masked=True), ws.send_bytes(b"…")      anything, right or wrong
    ws.expect(pong(b"…")), ws.next_frame(opcode), ws.expect_message("…"), ws.next_message(), ws.expect_nothing()
    ws.say(type="…"), ws.hear(type="…") → dict      JSON, as the lab's own services speak it
    ws.expect_close(1000), .expect_close_echoed(1000), .expect_failed(1002), .expect_over(), .expect_end()
    with ws.held() as segments: …      then ws.put(segments[1]), …: reordered, repeated, delayed, lost
    ws.lose(1), with ws.not_reading(): …, ws.finish(), ws.reset(), ws.answers = False
    server.is_told(peer, 1006)      what its program was told of the end

A title and documents=[…] are required. Every verb of a WebSocket with its words: `pydoc lab.scenario.websocket`.

The names are looked up when they are first used: finding scenarios needs none of them, and Scapy takes its time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.scenario.declare import Scenario, scenario
    from lab.scenario.peer import Peer
    from lab.scenario.server import Listener, Server, Socket
    from lab.tcp import options
    from lab.tcp.sequence import Seq
    from lab.tcp.state import State

_HOME = {
    "Listener": "lab.scenario.server",
    "Peer": "lab.scenario.peer",
    "Scenario": "lab.scenario.declare",
    "Seq": "lab.tcp.sequence",
    "Server": "lab.scenario.server",
    "Socket": "lab.scenario.server",
    "State": "lab.tcp.state",
    "scenario": "lab.scenario.declare",
}


def __getattr__(name: str) -> Any:
    if name == "options":
        return import_module("lab.tcp.options")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Listener", "Peer", "Scenario", "Seq", "Server", "Socket", "State", "options", "scenario"]
