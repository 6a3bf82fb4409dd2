from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Four segments close, the client first",
    documents=["RFC 9293 §3.6 figure 12", "RFC 9293 §3.10.7.4"],
    evidence_for=[
        "9293-3.6-fig12-B", "9293-3.6-case2", "9293-3.3.2-estab-closewait",
        "9293-3.3.2-closewait-lastack", "9293-3.3.2-lastack-closed",
    ],
)  # fmt: skip
def client_first(peer: Peer, server: Server) -> None:
    """FIN, ACK of it; FIN the other way, ACK of that. Each FIN uses one number, like a SYN."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    server.is_in(State.CLOSE_WAIT)
    connection.receives_end()

    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))
    server.is_in(State.LAST_ACK)

    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    peer.expect_silence()
    server.is_in(State.CLOSED)
