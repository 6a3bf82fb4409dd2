from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A server that calls opens in three segments too",
    documents=["RFC 9293 §3.5 figure 6", "RFC 9293 §3.10.1", "RFC 9293 §3.10.7.3"],
    evidence_for=["9293-3.5-fig6-A", "9293-3.3.2-closed-synsent", "9293-3.3.2-synsent-estab", "9293-3.10.7.3-synack"],
)
def server_calls(peer: Peer, server: Server) -> None:
    """The same three segments the other way round: its SYN, our SYN+ACK, its ACK."""
    calling = server.connect(peer)
    y = peer.expect(TCP(flags="S")).seq
    server.is_in(State.SYN_SENT)

    x = peer.iss
    peer.send(TCP(flags="SA", seq=x, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1))
    server.is_in(State.ESTABLISHED)
    calling.is_connected()
    peer.expect_silence()
