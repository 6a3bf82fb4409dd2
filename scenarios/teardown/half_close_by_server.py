from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "The server half-closes and goes on listening",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.10.4"],
    evidence_for=["9293-3.6-simplex", "9293-3.6-case1", "9293-3.10.3-estab", "9293-3.10.7.4-text-deliver"],
)
def half_close_by_server(peer: Peer, server: Server) -> None:
    """Its program shuts down its sending side. What we still have to say arrives, and is acknowledged."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    connection.shutdown()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    server.is_in(State.FIN_WAIT_1)
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 2))
    server.is_in(State.FIN_WAIT_2)

    said = 0
    for words in (b"you may be done, ", b"we are not"):
        peer.send(TCP(flags="PA", seq=x + 1 + said, ack=y + 2) / words)
        said += len(words)
        peer.expect(TCP(flags="A", seq=y + 2, ack=x + 1 + said))
        connection.receives(words)
        server.is_in(State.FIN_WAIT_2)

    peer.send(TCP(flags="FA", seq=x + 1 + said, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2 + said))
    server.is_in(State.TIME_WAIT)
    connection.receives_end()
