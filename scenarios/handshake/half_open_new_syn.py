from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A half-open connection is found out by a new SYN",
    documents=["RFC 9293 §3.5.1 figure 9", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.5.1-fig9-B", "9293-3.5-rst-sync", "9293-3.10.7.4-syn-challenge", "MUST-12"],
)
def half_open_new_syn(peer: Peer, server: Server) -> None:
    """We crash and call again from the same port. The server, who knows nothing of it, repeats where it stands;

    our RST to that tells it the truth, and then the new SYN goes through.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    z = peer.anew(x + 400_000_000)
    peer.send(TCP(flags="S", seq=z), note="after a crash")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1))
    server.is_in(State.ESTABLISHED)

    peer.send(TCP(flags="R", seq=x + 1))
    peer.expect_silence()
    server.is_in(State.CLOSED)
    connection.is_reset()

    peer.anew(z)
    peer.open()
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
