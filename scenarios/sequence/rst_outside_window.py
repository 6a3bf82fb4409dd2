from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A RST outside the window is not believed",
    documents=["RFC 9293 §3.5.3", "RFC 9293 §3.10.7.4", "RFC 5961 §3.2"],
    evidence_for=["9293-3.10.7.4-rst-out", "9293-3.5.3-seq", "9293-3.10.7.4-seq-bad-rst", "5961-3.2-rst-outside"],
)
def rst_outside_window(peer: Peer, server: Server) -> None:
    """Anyone can send a RST; who does not know the numbers is not the peer. It changes nothing, and is not answered."""
    listener = server.listen()
    x, _ = peer.open()
    connection = listener.accept(peer)

    for far in (-100_000, 10_000_000, 2**31 - 1):
        peer.replay(TCP(flags="R", seq=x + 1 + far), note="a guess")
        peer.expect_silence()
        server.is_in(State.ESTABLISHED)
    connection.receives_nothing()

    peer.send(TCP(flags="R", seq=x + 1), note="the peer's own")
    peer.expect_silence()
    server.is_in(State.CLOSED)
    connection.is_reset()
