from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A FIN uses one number, behind its data",
    documents=["RFC 9293 §3.4", "RFC 9293 §3.6"],
    evidence_for=["9293-3.4-ctl-seq", "9293-3.8-fin-push", "9293-3.6-flush"],
)
def fin_uses_one_number(peer: Peer, server: Server) -> None:
    """A FIN in a segment with data stands behind the last octet; data and FIN are counted together."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    last = b"last words"

    peer.send(TCP(flags="FPA", seq=x + 1, ack=y + 1) / last)
    end = x + 1 + len(last) + 1
    peer.expect(TCP(flags="A", seq=y + 1, ack=end))
    server.is_in(State.CLOSE_WAIT)
    connection.receives(last)
    connection.receives_end()

    connection.send(b"bye")
    peer.expect(TCP(flags="A", seq=y + 1, ack=end) / b"bye")
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1 + len(b"bye"), ack=end))
    peer.send(TCP(flags="A", seq=end, ack=y + 1 + len(b"bye") + 1))
    peer.expect_silence()
    server.is_in(State.CLOSED)
