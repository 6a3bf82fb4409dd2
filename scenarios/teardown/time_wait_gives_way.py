from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "TIME-WAIT gives way to a new SYN with a higher number",
    documents=["RFC 9293 §3.6.1", "RFC 6191 §2"],
    evidence_for=["MAY-2", "9293-3.6.1-tw-isn", "6191-2-nots-seq"],
)
def time_wait_gives_way(peer: Peer, server: Server) -> None:
    """The same four-tuple may be used again at once, if the new SYN lies beyond all that the old connection used.

    A stack may also wait for the end of TIME-WAIT, and answers with an ACK until then.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)

    z = peer.anew(x + 1_000_000)
    peer.send(TCP(flags="S", seq=z), note="the same ports, a new life")
    answer = peer.expect(TCP())
    if "S" not in answer.flags:
        peer.check(answer.ack == x + 2, "ack", str(x + 2), str(answer.ack), "TIME-WAIT says where it stands")
        return
    peer.check(answer.ack == z + 1, "ack", str(z + 1), str(answer.ack), "the SYN+ACK covers the new SYN")
    again = answer.seq - (y + 2)
    peer.check(again > 0, "seq", "beyond the old numbers", str(again), "the server's new number lies beyond the old")
    server.is_in(State.SYN_RECEIVED)
    peer.send(TCP(flags="A", seq=z + 1, ack=answer.seq + 1))
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
