"""The scenario that is measured: the same connection in the lab's words."""

from __future__ import annotations

from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario("A connection is opened and closed", documents=["RFC 9293 §3.5 figure 6", "RFC 9293 §3.6 figure 12"])
def open_and_close(peer: Peer, server: Server) -> None:
    """Three segments, then four; the witnesses agree at every step."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    connection.receives_end()
    connection.set("TCP_QUICKACK", 1)  # the ACK now, and not within 0.5 s (RFC 9293 §3.8.6.3): no waiting for a timer
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))

    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    peer.expect_silence()
    server.is_in(State.CLOSED)
    listener.close()
