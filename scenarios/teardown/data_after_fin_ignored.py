from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Data behind a FIN are ignored",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-text-ignore", "9293-3.10.7.4-fin-repeat", "9293-3.6-case2"],
)
def data_after_fin_ignored(peer: Peer, server: Server) -> None:
    """We have said that we are done. What we say all the same does not count, and the program does not hear it."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))
    connection.receives_end()

    peer.replay(TCP(flags="PA", seq=x + 2, ack=y + 1) / b"wait, there is more", note="behind our FIN")
    server.is_in(State.CLOSE_WAIT)
    connection.receives_end()
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2))
    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    server.is_in(State.CLOSED)
