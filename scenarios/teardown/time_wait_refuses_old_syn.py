from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "TIME-WAIT does not give way to an old SYN",
    documents=["RFC 9293 §3.6.1", "RFC 9293 §3.10.7.4", "RFC 6191 §2"],
    evidence_for=["9293-3.6.1-tw-isn", "6191-2-nots-else", "9293-3.10.7.4-syn-outside"],
)
def time_wait_refuses_old_syn(peer: Peer, server: Server) -> None:
    """An old duplicate SYN, whose number lies before those of the connection that has just ended, opens nothing."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)

    for old in (x - 1_000_000, x):
        peer.replay(TCP(flags="S", seq=old))
        peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
        server.is_in(State.TIME_WAIT)
        listener.has_nothing()
