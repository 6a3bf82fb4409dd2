from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A SYN uses one number, a bare ACK none",
    documents=["RFC 9293 §3.4", "RFC 9293 §3.5 figure 6"],
    evidence_for=["9293-3.5-fig6-ack-noseq", "9293-3.4-ctl-seq", "9293-3.4-modulo", "9293-3.1-seq-syn"],
)
def bare_ack_uses_no_number(peer: Peer, server: Server) -> None:
    """Three bare ACKs do not move the numbers, nor are they answered: the first octet of data still is x+1."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    for _ in range(3):
        peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
        peer.expect_silence()

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"!")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    connection.receives(b"!")

    connection.send(b"?")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2) / b"?")
    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    peer.expect_silence()
    server.is_in(State.ESTABLISHED)
