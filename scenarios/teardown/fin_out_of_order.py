from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A FIN out of order waits for the gap",
    documents=["RFC 9293 §3.10.7.4", "RFC 9293 §3.4"],
    evidence_for=["SHLD-31", "9293-3.10-order", "9293-3.10.7.4-text-deliver"],
)
def fin_out_of_order(peer: Peer, server: Server) -> None:
    """Our FIN overtakes the data before it. The stream has not ended: the server asks for the gap, and stays open.

    It should keep the FIN until then. One that does not is told again.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    missing = b"still on the way"
    end = x + 1 + len(missing)

    peer.send(TCP(flags="FA", seq=end, ack=y + 1), note="overtakes the data")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1))
    server.is_in(State.ESTABLISHED)
    connection.receives_nothing()

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / missing)
    answer = peer.expect(TCP(flags="A", seq=y + 1))
    if answer.ack == end:
        peer.say("this server keeps nothing that comes before its turn")
        server.is_in(State.ESTABLISHED)
        peer.send(TCP(flags="FA", seq=end, ack=y + 1), note="again")
        answer = peer.expect(TCP(flags="A", seq=y + 1))
    peer.check(answer.ack == end + 1, "ack", str(end + 1), str(answer.ack), "the FIN is acknowledged in its turn")
    server.is_in(State.CLOSE_WAIT)
    connection.receives(missing)
    connection.receives_end()
