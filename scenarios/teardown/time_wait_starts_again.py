from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A repeated FIN starts TIME-WAIT again",
    documents=["RFC 9293 §3.6.1", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-timewait", "9293-3.10.7.4-fin-timewait"],
    slow=True,
    takes=71.0,
)
def time_wait_starts_again(peer: Peer, server: Server) -> None:
    """Two connections enter TIME-WAIT together. On one our FIN comes again ten seconds later: it lasts that much more.

    Who repeats a FIN has not had the ACK; twice a segment's lifetime is counted from the new one.
    """
    listener = server.listen()
    other = peer.another()
    for one in (peer, other):
        x, y = one.open()
        listener.accept(one).close()
        one.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
        one.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
        one.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
        server.is_in(State.TIME_WAIT, one)

    peer.wait(10.0)
    other.send(TCP(flags="FA", seq=x + 1, ack=y + 2), note="again: your ACK was lost")
    other.expect(TCP(flags="A", seq=y + 2, ack=x + 2))

    server.leaves(State.TIME_WAIT, after=15.0, within=260.0)
    server.is_in(State.TIME_WAIT, other)
    server.leaves(State.TIME_WAIT, after=7.0, within=20.0, peer=other)
