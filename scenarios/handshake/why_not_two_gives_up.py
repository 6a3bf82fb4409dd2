from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Why not two: without the third segment the server gives up",
    documents=["RFC 9293 §3.5", "RFC 9293 §3.8.3", "RFC 9293 §3.10.7.2"],
    evidence_for=["MUST-21", "MUST-22", "4987-3.3-timer", "9293-3.10.7.2-ack"],
    takes=3.2,
)
def why_not_two_gives_up(peer: Peer, server: Server) -> None:
    """The third segment never comes. The server repeats its second, holds no connection meanwhile, and lets go.

    The program has asked for one repetition (R2, MUST-21), so that the end can be seen soon.
    """
    listener = server.listen(TCP_SYNCNT=1)
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq
    peer.expect(TCP(flags="SA", seq=y, ack=x + 1), within=5.0)
    server.is_in(State.SYN_RECEIVED)
    listener.has_nothing()

    server.leaves(State.SYN_RECEIVED, after=1.0, within=10.0)
    peer.expect_silence()
    server.is_in(State.LISTEN)
    listener.has_nothing()
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1), note="too late")
    peer.expect(TCP(flags="R", seq=y + 1))
    listener.has_nothing()
