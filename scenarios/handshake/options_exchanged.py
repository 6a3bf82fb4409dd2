from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Options and windows are exchanged with the SYNs",
    documents=["RFC 9293 §3.7.1", "RFC 7323 §2.2", "RFC 7323 §3.2", "RFC 2018 §2"],
    evidence_for=["MUST-4", "MUST-14", "MUST-16", "SHLD-5", "7323-3.2-ts-all", "2018-2-perm-reply"],
)
def options_exchanged(peer: Peer, server: Server) -> None:
    """We offer a segment size, a window scale, SACK and timestamps; what the server gives back it keeps to.

    It may leave out any of them: a stack without extensions is a sound one.
    """
    listener = server.listen()
    mss, stamp, room = 1000, 123_456, 5120
    offered = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (stamp, 0)), ("NOP", None), ("WScale", 7)]
    x = peer.iss

    peer.send(TCP(flags="S", seq=x, window=room, options=offered))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    given = dict(syn_ack.options)
    if missing := [name for name, _ in offered if name not in given and name != "NOP"]:
        peer.say(f"this server does without {', '.join(missing)}")
    scale = given.get("WScale")
    peer.check((scale or 0) <= 14, "options", "a shift of 14 at most", str(scale), "the scale is legal")
    echo = given.get("Timestamp", (0, stamp))[1]
    peer.check(echo == stamp, "options", f"TSecr {stamp}", f"TSecr {echo}", "the SYN+ACK echoes our timestamp")

    stamps = "Timestamp" in given
    limit = mss - 12 if stamps else mss
    window = room >> 7 if "WScale" in given else room

    def acknowledge(number: int, heard: dict[str, tuple[int, int]]) -> None:
        ours = [("NOP", None), ("NOP", None), ("Timestamp", (stamp + 1, heard["Timestamp"][0]))] if stamps else []
        peer.send(TCP(flags="A", seq=x + 1, ack=number, window=window, options=ours))

    y = syn_ack.seq
    acknowledge(y + 1, given)
    server.is_in(State.ESTABLISHED)
    connection = listener.accept(peer)
    connection.send(b"m" * 2500)
    got = 0
    while got < 2500:
        segment = peer.expect(TCP(seq=y + 1 + got, ack=x + 1))
        size, heard = len(bytes(segment.payload)), dict(segment.options)
        peer.check(size <= limit, "payload", f"{limit} octets at most", str(size), "our segment size is kept to")
        peer.check(
            stamps == ("Timestamp" in heard), "options", "as agreed with the SYNs", str(segment.options),
            "timestamps are on every segment, or on none",
        )  # fmt: skip
        if size:
            got += size
            acknowledge(y + 1 + got, heard)
    peer.expect_silence()
