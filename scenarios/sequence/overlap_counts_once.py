from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "What comes twice counts once",
    documents=["RFC 9293 §3.4", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-seq-straddle", "9293-3.10.7.4-seq-bad", "9293-3.5.2-g3", "9293-3.10.7.4-text-deliver"],
)
def overlap_counts_once(peer: Peer, server: Server) -> None:
    """The same octets again draw an ACK and nothing else; of a segment that is half old the new half is taken."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"hello")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 6))
    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"hello", note="again")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 6))
    connection.receives(b"hello")
    connection.receives_nothing()

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"hello world", note="half old, half new")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 12))
    connection.receives(b" world")
    connection.receives_nothing()
    server.is_in(State.ESTABLISHED)
