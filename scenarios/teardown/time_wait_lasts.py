from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "TIME-WAIT lasts twice the maximum segment lifetime",
    documents=["RFC 9293 §3.4.2", "RFC 9293 §3.6.1", "RFC 9293 §3.10.8"],
    evidence_for=["MUST-13", "9293-3.3.2-timewait-closed"],
    slow=True,
    takes=61.0,
)
def time_wait_lasts(peer: Peer, server: Server) -> None:
    """The RFC takes a lifetime of two minutes, so four in all; a stack may know its network better.

    While it lasts, a repeated FIN is acknowledged; when it is over, the same FIN is answered with a RST.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)

    lasted = server.leaves(State.TIME_WAIT, after=30.0, within=260.0)
    peer.say(f"TIME-WAIT lasted {lasted:.0f} s: a segment lifetime of {lasted / 2:.0f} s")
    server.is_in(State.CLOSED)
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="R", seq=y + 2))
