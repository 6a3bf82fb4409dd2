from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "TIME-WAIT answers a repeated FIN",
    documents=["RFC 9293 §3.6.1", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-timewait", "9293-3.3.2-finwait1-timewait", "9293-3.5.2-g3"],
)
def time_wait_answers_fin(peer: Peer, server: Server) -> None:
    """The last ACK may be lost like any other; that is what TIME-WAIT is kept for. Old data draw an ACK."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)

    for _ in range(3):
        peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2), note="again: your ACK was lost")
        peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
        server.is_in(State.TIME_WAIT)
    peer.replay(TCP(flags="PA", seq=x - 9, ack=y + 1) / b"long ago")
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)
