from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "What the window offers is taken",
    documents=["RFC 9293 §3.8.6", "RFC 9293 §3.10.7.4"],
    evidence_for=["9293-3.10.7.4-text-deliver", "9293-3.10.7.4-text-edge", "SHLD-14", "MAY-8"],
)
def window_is_kept(peer: Peer, server: Server) -> None:
    """The program does not read. The window closes as its buffer fills; up to there, each octet finds its place."""
    listener = server.listen(SO_RCVBUF=4096)
    x = peer.iss
    peer.send(TCP(flags="S", seq=x))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    y, room = syn_ack.seq, syn_ack.window
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    connection = listener.accept(peer)

    said, piece = 0, b"nobody reads me " * 32
    while room >= len(piece) and said < 100_000:
        peer.send(TCP(flags="PA", seq=x + 1 + said, ack=y + 1) / piece)
        said += len(piece)
        room = peer.expect(TCP(flags="A", seq=y + 1, ack=x + 1 + said)).window
    peer.check(room < len(piece), "window", "a closed window", str(room), "the window closes when nobody reads")
    connection.receives(piece * (said // len(piece)))
    server.is_in(State.ESTABLISHED)
