from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Data for a program that has closed are reset",
    documents=["RFC 9293 §3.6.1", "RFC 9293 §3.10.4"],
    evidence_for=["SHLD-3", "MAY-1"],
)
def data_for_closed_program(peer: Peer, server: Server) -> None:
    """The program is gone for good, not half: nobody will ever read these data, and the RST says so."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1))
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 2))
    server.is_in(State.FIN_WAIT_2)
    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 2) / b"anybody?")
    reset = peer.expect(TCP(seq=y + 2))
    peer.check("R" in reset.flags, "flags", "R", str(reset.flags), "the loss is told with a RST")
    peer.expect_silence()
    server.is_in(State.CLOSED)
