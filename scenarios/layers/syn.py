from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, scenario


@scenario(
    "A SYN by its layers: the smallest thing that TCP says",
    documents=["RFC 1122 §1.1.3", "RFC 9293 §3.1", "RFC 9293 §3.2"],
    evidence_for=["layer-2-mac", "layer-2-type", "layer-3-ipv4", "layer-4-ports", "layer-4-options", "layer-map"],
    needs="listener",
)
def syn(peer: Peer, server: Server) -> None:
    """Three headers and nothing in them: no octet of a SYN belongs to an application.

    Ethernet adds 14 octets, IPv4 20 (IPv6 40), TCP 20 and its options: MSS 4, SACK permitted 2, timestamps 10, a
    filler 1, window scale 3. Without options the next SYN is 20 octets shorter.
    """
    server.listen()
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]

    peer.send(TCP(flags="S", options=options))
    first = peer.segments()[0]
    peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20 + 4 + 2 + 10 + 1 + 3), frame=first.number)
    peer.check(len(first.frame) == 14 + ip[1] + 40, "length", str(54 + ip[1]), str(len(first.frame)), "the sum")

    bare = peer.another()
    bare.send(TCP(flags="S"))
    bare.sees_layers(("Ethernet", 14), ip, ("TCP", 20), frame=bare.segments()[0].number)
