from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A wrong acknowledgement in the third segment is refused",
    documents=["RFC 9293 §3.5.2", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-synrcvd-bad", "9293-3.5.2-g2", "9293-3.5.2-g2-format"],
    needs="listener",
)
def wrong_ack_in_third_segment(peer: Peer, server: Server) -> None:
    """Only y+1 proves that we heard the server. Anything else gets a RST with that very number, and changes nothing."""
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq
    for wrong in (y, y + 2, y + 1_000_000):
        peer.send(TCP(flags="A", seq=x + 1, ack=wrong))
        peer.expect(TCP(flags="R", seq=wrong))
        server.is_in(State.SYN_RECEIVED)
        listener.has_nothing()

    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    peer.expect_silence()
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
