from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, scenario


@scenario(
    "IPv6 or IPv4: twenty octets more or less, and the layers above do not notice",
    documents=["RFC 1122 §1.1.3", "RFC 8200 §3", "RFC 791 §3.1"],
    evidence_for=["layer-3-ipv6", "layer-3-ipv4", "layer-2-type", "layer-map", "layer-encap"],
)
def ipv6_packet(peer: Peer, server: Server) -> None:
    """An IPv6 header has 40 octets, always: its addresses take 32 of them. IPv4's has 20, 8 of them addresses.

    Ethernet's type says which it is; TCP's header and the data are the same octets either way.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    over_ipv6 = ":" in peer.address
    ip = ("IPv6", 40) if over_ipv6 else ("IPv4", 20)

    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"twelve bytes")
    sent = next(p for p in peer.segments() if p.segment and p.segment.payload)
    peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20), ("Payload", 12), frame=sent.number)
    kind = "86dd" if over_ipv6 else "0800"
    peer.check(sent.frame[12:14].hex() == kind, "type", kind, sent.frame[12:14].hex(), "Ethernet tells what is inside")
    connection.receives(b"twelve bytes")

    connection.send(b"and the same back")
    peer.expect_data(b"and the same back")
    came = next(p for p in peer.segments() if p.sender == "server" and p.segment and p.segment.payload)
    options = (came.frame[14 + ip[1] + 12] >> 4) * 4 - 20  # its data offset; a server may have some
    peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20 + options), ("Payload", 17), frame=came.number)
