from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A server that calls is told that nobody listens",
    documents=["RFC 9293 §3.5.3", "RFC 9293 §3.10.7.3"],
    evidence_for=["9293-3.10.7.3-rst-good", "9293-3.5.3-synsent"],
)
def call_refused(peer: Peer, server: Server) -> None:
    """A RST that acknowledges the server's SYN ends its call: there is nobody here."""
    calling = server.connect(peer)
    y = peer.expect(TCP(flags="S")).seq
    peer.send(TCP(flags="RA", seq=0, ack=y + 1))
    peer.expect_silence()
    server.is_in(State.CLOSED)
    calling.is_refused()
