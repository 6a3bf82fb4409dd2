from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Why not three: a half-closed end may still send",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.6.1", "RFC 9293 §3.10.7.4"],
    evidence_for=[
        "9293-3.6-simplex",
        "9293-3.6.1-halfclosed-send",
        "9293-3.6-case2",
        "MUST-40",
        "9293-3.10.4-closewait",
    ],
)
def why_not_three(peer: Peer, server: Server) -> None:
    """The server acknowledges our FIN while it has more to say. Its own FIN comes only when its program has finished.

    That is why the ACK and the FIN are two segments: time may lie between them, and data.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2), within=2.0)
    server.is_in(State.CLOSE_WAIT)
    connection.receives_end()
    peer.expect_silence()

    sent = 0
    for words in (b"one more thing, ", b"and another"):
        connection.send(words)
        peer.expect(TCP(flags="A", seq=y + 1 + sent, ack=x + 2) / words)
        sent += len(words)
        peer.send(TCP(flags="A", seq=x + 2, ack=y + 1 + sent))
        server.is_in(State.CLOSE_WAIT)

    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1 + sent, ack=x + 2))
    server.is_in(State.LAST_ACK)
    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2 + sent))
    peer.expect_silence()
    server.is_in(State.CLOSED)
