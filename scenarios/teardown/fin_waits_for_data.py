from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "A FIN waits until the data before it are sent",
    documents=["RFC 9293 §3.6", "RFC 9293 §3.10.4", "RFC 9293 §3.8.6"],
    evidence_for=["9293-3.6-flush", "9293-3.10.4-estab", "9293-3.9.1.4-graceful", "9293-3.6-case1"],
)
def fin_waits_for_data(peer: Peer, server: Server) -> None:
    """The program writes more than our window takes, and closes. What fits comes; the FIN waits with the rest.

    When the window opens again the rest follows, and the FIN stands behind the last octet.
    """
    listener = server.listen()
    x, window, size = peer.iss, 1000, 1600
    words = b"0123456789" * (size // 10)

    peer.send(TCP(flags="S", seq=x, window=window, options=[("MSS", window // 2)]))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1, window=window))
    connection = listener.accept(peer)

    connection.send(words)
    sent = 0
    while sent < window:
        if sent:  # its first flight may be a single segment (RFC 5681 §3.1): heard, yet no room is gained
            peer.send(TCP(flags="A", seq=x + 1, ack=y + 1 + sent, window=window - sent))
        sent += len(bytes(peer.expect(TCP(flags="A", seq=y + 1 + sent, ack=x + 1)).payload))
    peer.check(sent == window, "payload", f"{window} octets", str(sent), "what our window takes is sent, and no more")
    connection.close()
    peer.expect_silence()
    server.is_in(State.FIN_WAIT_1)

    ended = False
    while not ended:
        peer.send(TCP(flags="A", seq=x + 1, ack=y + 1 + sent, window=window))
        segment = peer.expect(TCP(seq=y + 1 + sent, ack=x + 1))
        piece = bytes(segment.payload)
        peer.check(piece == words[sent : sent + len(piece)], "payload", "the rest", repr(piece), "nothing is lost")
        sent += len(piece)
        ended = "F" in segment.flags
    peer.check(sent == size, "seq", f"FIN at {1 + size}", f"FIN at {1 + sent}", "the FIN stands behind the last octet")
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1 + sent + 1, window=window))
    peer.expect_silence()
    server.is_in(State.FIN_WAIT_2)
