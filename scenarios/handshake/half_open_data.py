from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A half-open connection is found out by data",
    documents=["RFC 9293 §3.5.1 figure 10", "RFC 9293 §3.10.7.1"],
    evidence_for=["9293-3.5.1-fig10-B", "9293-3.5.1-halfopen-send", "9293-3.10.7.4-rst-estab", "MUST-12"],
)
def half_open_data(peer: Peer, server: Server) -> None:
    """We crash; the server sends to a connection that we no longer know; our RST ends its half of it."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.anew()
    connection.send(b"are you there?")
    lost = peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1) / b"are you there?")
    peer.send(TCP(flags="R", seq=lost.ack), note="no such connection")
    peer.expect_silence()
    server.is_in(State.CLOSED)
    connection.is_reset()
