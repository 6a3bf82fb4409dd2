from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Crossing SYNs agree on a window scale",
    documents=["RFC 9293 §3.5 figure 7", "RFC 7323 §2.2"],
    evidence_for=["MUST-10", "9293-3.5-fig7"],
)
def simultaneous_open_scaled(peer: Peer, server: Server) -> None:
    """A simultaneous open in which both SYNs offer a window scale: it holds for both ways, as with one caller."""
    calling = server.connect(peer)
    y = peer.expect(TCP(flags="S")).seq

    x = peer.iss
    scale = [("NOP", None), ("WScale", 5)]
    peer.send(TCP(flags="S", seq=x, options=scale), note="crosses the server's SYN")
    peer.expect(TCP(flags="SA", seq=y, ack=x + 1))
    server.is_in(State.SYN_RECEIVED)

    peer.send(TCP(flags="SA", seq=x, ack=y + 1, options=scale))
    server.is_in(State.ESTABLISHED)
    calling.is_connected()
