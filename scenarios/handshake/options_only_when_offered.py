from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, scenario


@scenario(
    "Options are given back only when offered",
    documents=["RFC 9293 §3.7.1", "RFC 7323 §2.2", "RFC 7323 §3.2", "RFC 2018 §2"],
    evidence_for=["7323-3.2-ts-synack", "MUST-15", "MUST-65", "2018-4-no-perm"],
)
def options_only_when_offered(peer: Peer, server: Server) -> None:
    """A SYN without options gets no window scale, no SACK, no timestamps; without a size, small segments."""
    listener = server.listen()
    x = peer.iss

    peer.send(TCP(flags="S", seq=x, options=[]))
    syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))
    given = dict(syn_ack.options)
    for name in ("SAckOK", "Timestamp", "WScale"):
        peer.check(name not in given, "options", f"no {name}", name, f"the SYN+ACK keeps {name} to itself")

    y = syn_ack.seq
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    connection = listener.accept(peer)
    connection.send(b"d" * 1500)
    limit = 1220 if ":" in peer.address else 536
    got = 0
    while got < 1500:
        segment = peer.expect(TCP(seq=y + 1 + got, ack=x + 1))
        size = len(bytes(segment.payload))
        peer.check(size <= limit, "payload", f"{limit} octets at most", str(size), "the default segment size")
        told = {"SAck", "Timestamp", "WScale"} & set(dict(segment.options))
        peer.check(not told, "options", "none of these", str(segment.options), "what was not agreed on is not used")
        got += size
        peer.send(TCP(flags="A", seq=x + 1, ack=y + 1 + got))
    peer.expect_silence()
