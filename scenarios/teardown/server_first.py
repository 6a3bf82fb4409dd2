from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Four segments close, the server first",
    documents=["RFC 9293 §3.6 figure 12", "RFC 9293 §3.10.7.4"],
    evidence_for=[
        "9293-3.6-fig12-A", "9293-3.3.2-estab-finwait1", "9293-3.3.2-finwait1-finwait2",
        "9293-3.3.2-finwait2-timewait", "9293-3.10.4-estab",
    ],
)  # fmt: skip
def server_first(peer: Peer, server: Server) -> None:
    """Who closes first passes through FIN-WAIT-1 and FIN-WAIT-2, and keeps TIME-WAIT."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    server.is_in(State.FIN_WAIT_1)

    peer.send(TCP(flags="A", seq=x + 1, ack=y + 2))
    server.is_in(State.FIN_WAIT_2)

    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    peer.expect_silence()
    server.is_in(State.TIME_WAIT)
