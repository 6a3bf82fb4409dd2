from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Both ends call at once: a simultaneous open",
    documents=["RFC 9293 §3.5 figure 7", "RFC 9293 §3.10.7.3"],
    evidence_for=["MUST-10", "9293-3.5-fig7", "9293-3.3.2-synsent-synrcvd", "9293-3.10.7.3-syn"],
)
def simultaneous_open(peer: Peer, server: Server) -> None:
    """Two SYNs cross. Each end answers the other's with SYN+ACK, under the number it began with: one connection."""
    calling = server.connect(peer)
    y = peer.expect(TCP(flags="S")).seq
    server.is_in(State.SYN_SENT)

    x = peer.iss
    peer.send(TCP(flags="S", seq=x), note="crosses the server's SYN")
    peer.expect(TCP(flags="SA", seq=y, ack=x + 1))
    server.is_in(State.SYN_RECEIVED)

    peer.send(TCP(flags="SA", seq=x, ack=y + 1))
    server.is_in(State.ESTABLISHED)
    calling.is_connected()
