from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Why not two: the SYN+ACK is repeated at growing intervals",
    documents=["RFC 9293 §3.8.1", "RFC 9293 §3.8.3", "RFC 6298 §5.5"],
    evidence_for=["6298-5.5", "6298-2.1-init", "MUST-22", "4987-4-synack-rtx"],
    needs="listener",
    takes=3.1,
)
def why_not_two_growing_intervals(peer: Peer, server: Server) -> None:
    """The third segment is late. The server asks for it again, the same SYN+ACK each time, and waits longer each time.

    Until it comes there is no connection; when it comes there is one.
    """
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    y = syn_ack.seq
    again = peer.expect(TCP(flags="SA", seq=y, ack=x + 1), within=5.0, not_before=0.5)
    first = again.time - syn_ack.time
    server.is_in(State.SYN_RECEIVED)
    listener.has_nothing()
    peer.expect(TCP(flags="SA", seq=y, ack=x + 1), within=10.0, not_before=1.2 * first)
    server.is_in(State.SYN_RECEIVED)
    listener.has_nothing()

    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    server.is_in(State.ESTABLISHED)
    listener.accept(peer)
