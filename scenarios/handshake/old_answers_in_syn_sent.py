from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A server that calls believes only the answer to its own SYN",
    documents=["RFC 9293 §3.5 figure 8", "RFC 9293 §3.5.3", "RFC 9293 §3.10.7.3"],
    evidence_for=[
        "9293-3.5-fig8-A", "9293-3.10.7.3-badack", "9293-3.10.7.3-badack-rst", "9293-3.10.7.3-rst-noack",
        "9293-3.10.7.3-neither", "9293-3.5.3-synsent", "5961-3.2-synsent",
    ],
)  # fmt: skip
def old_answers_in_syn_sent(peer: Peer, server: Server) -> None:
    """Old segments meet the server's SYN. What acknowledges another SYN is refused; a RST must acknowledge this one."""
    calling = server.connect(peer)
    y = peer.expect(TCP(flags="S")).seq
    x = peer.iss

    for wrong in (y, y + 2, y - 1_000_000):
        peer.replay(TCP(flags="SA", seq=x - 5000, ack=wrong))
        peer.expect(TCP(flags="R", seq=wrong))
        server.is_in(State.SYN_SENT)
    peer.replay(TCP(flags="R", seq=x))
    peer.replay(TCP(flags="RA", seq=x, ack=y + 2))
    peer.replay(TCP(flags="A", seq=x + 1, ack=y + 1))
    peer.expect_silence()
    server.is_in(State.SYN_SENT)

    peer.send(TCP(flags="SA", seq=x, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1))
    server.is_in(State.ESTABLISHED)
    calling.is_connected()
