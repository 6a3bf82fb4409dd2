from itertools import pairwise

from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A lost ACK of FIN: the FIN comes again in LAST-ACK",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.8.1", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-lastack", "6298-5.4", "6298-5.5"],
    takes=1.5,
)
def lost_ack_in_last_ack(peer: Peer, server: Server) -> None:
    """The server said FIN second, and our ACK of it is lost: it repeats the same FIN until it is acknowledged."""
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 2))

    connection.close()
    said = [peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2)).time]
    for _ in range(3):
        said.append(peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 2), within=20.0).time)
        server.is_in(State.LAST_ACK)
    first, second, third = (b - a for a, b in pairwise(said))
    peer.check(
        0.9 * first <= second <= 1.1 * third and third >= 1.5 * first, "silence", "growing intervals",
        f"{first:.2f}, {second:.2f}, {third:.2f} s", "each repetition waits longer (RFC 6298 §5.5)",
    )  # fmt: skip

    peer.send(TCP(flags="A", seq=x + 2, ack=y + 2))
    peer.expect_silence()
    server.is_in(State.CLOSED)
