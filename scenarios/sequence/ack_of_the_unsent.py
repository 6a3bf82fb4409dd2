from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "An ACK of what was never sent is refused",
    documents=["RFC 9293 §3.5.2", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-estab-future", "9293-3.5.2-g3"],
)
def ack_of_the_unsent(peer: Peer, server: Server) -> None:
    """We acknowledge more than the server has said. It says where it stands, and takes nothing of such a segment."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    peer.replay(TCP(flags="PA", seq=x + 1, ack=y + 1000) / b"from where?")
    server.is_in(State.ESTABLISHED)
    connection.receives_nothing()

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"from here")
    connection.receives(b"from here")
    connection.receives_nothing()
    server.is_in(State.ESTABLISHED)
