from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A server that has forgotten a connection says so",
    documents=["RFC 9293 §3.5.1 figure 10", "RFC 9293 §3.5.2", "RFC 9293 §3.10.7.2"],
    evidence_for=[
        "9293-3.5.1-fig10-A", "9293-3.5.1-fig11-A", "9293-3.10.7.2-ack", "9293-3.5.3-listen", "9293-3.10.7.2-rst",
        "9293-3.10.7.2-other",
    ],
    needs="listener",
)  # fmt: skip
def half_open_unknown(peer: Peer, server: Server) -> None:
    """Data for a connection that the server does not know draw a RST, its number taken from our acknowledgement.

    So does a SYN+ACK, for the listener has called nobody. What acknowledges nothing, and is no SYN, is dropped.
    """
    server.listen()
    x, far = peer.iss, peer.iss + 77_777

    peer.send(TCP(flags="PA", seq=x, ack=far) / b"hello again")
    peer.expect(TCP(flags="R", seq=far))
    peer.send(TCP(flags="FA", seq=x, ack=far))
    peer.expect(TCP(flags="R", seq=far))
    peer.send(TCP(flags="SA", seq=x, ack=far))
    peer.expect(TCP(flags="R", seq=far))
    peer.send(TCP(flags="F", seq=x))
    peer.send(TCP(flags="R", seq=x))
    peer.expect_silence()
    server.is_in(State.LISTEN)
