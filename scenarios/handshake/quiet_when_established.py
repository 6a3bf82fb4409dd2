from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A connection that stands needs no segments",
    documents=["RFC 9293 §3.5", "RFC 9293 §3.8.4", "RFC 6298 §5.2"],
    evidence_for=["6298-5.2", "MUST-25", "9293-3.10.7.4-ack-estab-new"],
    takes=1.6,
)
def quiet_when_established(peer: Peer, server: Server) -> None:
    """All is said and acknowledged, in both directions: nothing is repeated, nothing ends by itself, nobody asks."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"ready?")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 7))
    connection.receives(b"ready?")
    connection.send(b"ready")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 7) / b"ready")
    peer.send(TCP(flags="A", seq=x + 7, ack=y + 6))

    peer.expect_silence(1.5)
    server.is_in(State.ESTABLISHED)
    connection.receives_nothing()
