from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Why not two: an old SYN after its connection is over opens nothing",
    documents=["RFC 9293 §3.5.1 figure 11", "RFC 9293 §3.10.7.2"],
    evidence_for=["9293-3.5.1-fig11-B", "9293-3.5-rst-unsync", "9293-3.5.3-synrcvd"],
)
def why_not_two_after_close(peer: Peer, server: Server) -> None:
    """The network kept a copy of the first SYN, and delivers it when both ends have long forgotten the connection."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))
    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    server.is_in(State.CLOSED)

    peer.anew()
    peer.replay(TCP(flags="S", seq=x))
    peer.expect(TCP(flags="SA", ack=x + 1))
    server.is_in(State.SYN_RECEIVED)
    listener.has_nothing()

    peer.replay(TCP(flags="R", seq=x + 1), note="refused: no such connection")
    peer.expect_silence()
    server.is_in(State.LISTEN)
    listener.has_nothing()
