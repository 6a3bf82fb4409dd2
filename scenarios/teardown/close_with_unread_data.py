from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Closing with unread data resets",
    documents=["RFC 9293 §3.6.1", "RFC 9293 §3.10.4"],
    evidence_for=["SHLD-3", "9293-3.5.2-user"],
)
def close_with_unread_data(peer: Peer, server: Server) -> None:
    """The program closes without having read what we sent: a FIN would let us believe that it had."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"read me")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 8))
    connection.close()
    reset = peer.expect(TCP(seq=y + 1))
    peer.check("R" in reset.flags, "flags", "R", str(reset.flags), "the loss is told with a RST")
    peer.expect_silence()
    server.is_in(State.CLOSED)
