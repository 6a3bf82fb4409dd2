from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A segment with a wrong checksum never was",
    documents=["RFC 9293 §3.1"],
    evidence_for=["MUST-3"],
)
def wrong_checksum_ignored(peer: Peer, server: Server) -> None:
    """A damaged SYN opens nothing, damaged data are not taken, a damaged RST ends nothing. None of them is answered."""
    listener = server.listen()
    x = peer.iss

    peer.replay(TCP(flags="S", seq=x, chksum=0x0BAD), note="damaged")
    peer.expect_silence()
    server.is_in(State.LISTEN)
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.replay(TCP(flags="PA", seq=x + 1, ack=y + 1, chksum=0x0BAD) / b"damaged", note="damaged")
    peer.replay(TCP(flags="R", seq=x + 1, chksum=0x0BAD), note="damaged")
    peer.replay(TCP(flags="FA", seq=x + 1, ack=y + 1, chksum=0x0BAD), note="damaged")
    peer.expect_silence()
    server.is_in(State.ESTABLISHED)
    connection.receives_nothing()

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"whole")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 6))
    connection.receives(b"whole")
