from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Why not two: an old duplicate SYN opens nothing",
    documents=["RFC 9293 §3.5 figure 8", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.5-fig8-B", "9293-3.10.7.4-rst-synrcvd-passive", "9293-3.3.2-synrcvd-listen"],
    needs="listener",
)
def why_not_two_old_duplicate(peer: Peer, server: Server) -> None:
    """An old SYN arrives ahead of the one that is meant. With two segments the server would now hold a connection.

    With three it holds a promise: our RST takes it back, the program never hears of it, and the real SYN goes through.
    """
    listener = server.listen()
    x = peer.iss
    old = x - 10

    peer.replay(TCP(flags="S", seq=old))
    peer.expect(TCP(flags="SA", ack=old + 1))
    server.is_in(State.SYN_RECEIVED)
    peer.replay(TCP(flags="R", seq=old + 1), note="refused: not ours")
    peer.expect_silence()
    server.is_in(State.LISTEN)
    listener.has_nothing()

    peer.open()
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
    listener.has_nothing()
