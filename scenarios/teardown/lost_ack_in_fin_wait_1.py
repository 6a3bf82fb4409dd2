from itertools import pairwise

from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A lost ACK of FIN: the FIN comes again in FIN-WAIT-1",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.8.1", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-ack-finwait1", "9293-3.6-case1", "6298-5.4", "6298-5.5"],
    takes=1.5,
)
def lost_ack_in_fin_wait_1(peer: Peer, server: Server) -> None:
    """The server said FIN first, and our ACK of it is lost: it repeats the same FIN, and stays in FIN-WAIT-1.

    Another ACK, of what came before the FIN, does not help.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)

    connection.close()
    said = [peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1)).time]
    for _ in range(3):
        said.append(peer.expect(TCP(flags="FA", seq=y + 1, ack=x + 1), within=20.0).time)
        server.is_in(State.FIN_WAIT_1)
    first, second, third = (b - a for a, b in pairwise(said))
    peer.check(
        0.9 * first <= second <= 1.1 * third and third >= 1.5 * first, "silence", "growing intervals",
        f"{first:.2f}, {second:.2f}, {third:.2f} s", "each repetition waits longer (RFC 6298 §5.5)",
    )  # fmt: skip

    peer.send(TCP(flags="A", seq=x + 1, ack=y + 2))
    server.is_in(State.FIN_WAIT_2)
    peer.send(TCP(flags="FA", seq=x + 1, ack=y + 2))
    peer.expect(TCP(flags="A", seq=y + 2, ack=x + 2))
    server.is_in(State.TIME_WAIT)
