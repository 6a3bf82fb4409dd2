from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "The third segment may carry data",
    documents=["RFC 9293 §3.5", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.5-fig6-ack-noseq", "9293-3.10.7.4-ack-synrcvd-ok", "9293-3.10.7.4-text-deliver"],
)
def data_on_third_segment(peer: Peer, server: Server) -> None:
    """The ACK that completes the handshake may say the first words as well: they count from x+1."""
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"hello")
    server.is_in(State.ESTABLISHED)
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1 + len(b"hello")))
    listener.accept(peer).receives(b"hello")
