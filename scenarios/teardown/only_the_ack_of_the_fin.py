from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Only the ACK of the FIN counts as one",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.10.7.4"],
    evidence_for=[
        "9293-3.10.7.4-ack-finwait1", "9293-3.10.7.4-ack-lastack", "9293-3.10.7.4-ack-estab-dup", "9293-3.4-ack-new",
    ],
)  # fmt: skip
def only_the_ack_of_the_fin(peer: Peer, server: Server) -> None:
    """The server has said FIN. An ACK of what came before it, late on the wire, leaves the server where it is;

    first where the server closes first, then where it closes second.
    """
    listener = server.listen()
    x, y = peer.open()
    listener.accept(peer).close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.replay(TCP(flags="A", seq=x + 1, ack=y + 1))
    server.is_in(State.FIN_WAIT_1)
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 2))
    server.is_in(State.FIN_WAIT_2)

    other = peer.another()
    x, y = other.open()
    connection = listener.accept(other)
    other.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    other.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    connection.close()
    other.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))
    other.replay(TCP(flags="A", seq=x + 2, ack=y + 1))
    server.is_in(State.LAST_ACK, other)
    other.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    other.expect_silence()
    server.is_in(State.CLOSED, other)
