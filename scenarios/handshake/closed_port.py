from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A closed port answers with a reset",
    documents=["RFC 9293 §3.5.2", "RFC 9293 §3.10.7.1"],
    evidence_for=[
        "9293-3.5.2-g1", "9293-3.5.2-g1-ack", "9293-3.5.2-g1-noack",
        "9293-3.10.7.1-rst", "9293-3.10.7.1-noack", "9293-3.10.7.1-ack",
    ],
)  # fmt: skip
def closed_port(peer: Peer, server: Server) -> None:
    """Without an ACK to go by, the RST says seq 0 and acknowledges what came; with one it takes its number from there.

    A RST is never answered.
    """
    peer.towards(server.closed_port())
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    peer.expect(TCP(flags="RA", seq=0, ack=x + 1))
    peer.send(TCP(flags="S", seq=x) / b"data")
    peer.expect(TCP(flags="RA", seq=0, ack=x + 1 + len(b"data")))
    peer.send(TCP(flags="F", seq=x + 1))
    peer.expect(TCP(flags="RA", seq=0, ack=x + 2))
    peer.send(TCP(flags="P", seq=x + 1) / b"data")
    peer.expect(TCP(flags="RA", seq=0, ack=x + 1 + len(b"data")))
    peer.send(TCP(flags="A", seq=x + 1, ack=x + 1000))
    peer.expect(TCP(flags="R", seq=x + 1000))
    peer.send(TCP(flags="R", seq=x + 1))
    peer.expect_silence()
    server.is_in(State.CLOSED)
