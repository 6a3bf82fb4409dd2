from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Options and windows are exchanged with the SYNs",
    documents=["RFC 9293 §3.7.1", "RFC 7323 §2.2", "RFC 7323 §3.2", "RFC 2018 §2"],
    evidence_for=["MUST-4", "MUST-14", "MUST-16", "SHLD-5", "7323-3.2-ts-all", "2018-2-perm-reply"],
)
def options_exchanged(peer: Peer, server: Server) -> None:
    """We offer a segment size, a window scale, SACK and timestamps; the server gives each back, and keeps to them."""
    listener = server.listen()
    mss, stamp = 1000, 123_456
    offered = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (stamp, 0)), ("NOP", None), ("WScale", 7)]
    x = peer.iss

    peer.send(TCP(flags="S", seq=x, window=5000, options=offered))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    given = dict(syn_ack.options)
    for name in ("MSS", "SAckOK", "Timestamp", "WScale"):
        peer.check(name in given, "options", name, "absent", f"the SYN+ACK gives back {name}")
    value, echo = given["Timestamp"]
    peer.check(echo == stamp, "options", f"TSecr {stamp}", f"TSecr {echo}", "the SYN+ACK echoes our timestamp")
    peer.check(given["WScale"] <= 14, "options", "a shift of 14 at most", str(given["WScale"]), "the scale is legal")
    peer.check(syn_ack.window > 0, "window", "an open window", "0", "the SYN+ACK opens a window")

    y = syn_ack.seq
    stamps = [("NOP", None), ("NOP", None), ("Timestamp", (stamp + 1, value))]
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1, window=40, options=stamps))
    server.is_in(State.ESTABLISHED)

    connection = listener.accept(peer)
    connection.send(b"m" * 2500)
    got = 0
    while got < 2500:
        segment = peer.expect(TCP(seq=y + 1 + got, ack=x + 1))
        size = len(bytes(segment.payload))
        peer.check(size <= mss - 12, "payload", f"{mss - 12} octets at most", str(size), "MSS less the timestamps")
        got += size
    stamps = [("NOP", None), ("NOP", None), ("Timestamp", (stamp + 2, dict(segment.options)["Timestamp"][0]))]
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1 + got, window=40, options=stamps))
    peer.expect_silence()
