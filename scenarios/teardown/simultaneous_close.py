from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Both ends close at once, through CLOSING",
    documents=["RFC 9293 §3.6 figure 13", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.6-fig13", "9293-3.6-case3", "9293-3.3.2-finwait1-closing", "9293-3.3.2-closing-timewait"],
)
def simultaneous_close(peer: Peer, server: Server) -> None:
    """Two FINs cross. Neither acknowledges the other, so each end waits in CLOSING for the ACK of its own.

    An ACK of what came before its FIN does not end the wait.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    server.is_in(State.FIN_WAIT_1)

    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1), note="crosses the server's FIN")
    answer = peer.expect(TCP(ack=x + 2))  # alone, or on the FIN said again
    number = y + 1 if "F" in answer.flags else y + 2
    peer.check(answer.seq == number, "seq", str(number), str(answer.seq), "the ACK stands behind the server's FIN")
    server.is_in(State.CLOSING)
    peer.replay(TCP(flags="A", seq=x + 2, ack=y + 1))
    server.is_in(State.CLOSING)

    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    peer.expect_silence()
    server.is_in(State.TIME_WAIT)
