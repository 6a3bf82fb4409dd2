from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Three segments suffice when nothing is left to say",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.8.6.3"],
    evidence_for=["SHLD-18", "MUST-40", "MUST-58", "9293-3.6-case2"],
)
def three_segments_suffice(peer: Peer, server: Server) -> None:
    """A program that closes at once may let its FIN carry the ACK of ours: FIN, FIN+ACK, ACK.

    It may, and need not: a stack that acknowledges faster than its program closes sends two. Several connections
    give it the occasion.
    """
    listener = server.listen()
    for number in range(8):
        one = peer if number == 0 else peer.another()
        x, y = one.open()
        connection = listener.accept(one)
        one.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
        connection.close()
        answer = one.expect(TCP(seq=y + 1, ack=x + 2))
        shared = "F" in answer.flags
        if not shared:
            one.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))
        server.is_in(State.LAST_ACK, one)
        one.send(TCP(flags="A", seq=x + 2, ack=y + 2))
        server.is_in(State.CLOSED, one)
        if shared:
            return
    peer.say("this server never shares: it acknowledges before its program can close")
