from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, scenario


@scenario(
    "A segment in IPv4 fragments: TCP's header lies in two packets",
    documents=["RFC 1122 §1.1.3", "RFC 791 §2.3", "RFC 791 §3.2", "RFC 8200 §4.5"],
    evidence_for=["layer-3-ipv4", "layer-4-offset", "layer-encap"],
)
def fragmented_ipv4(peer: Peer, server: Server) -> None:
    """44 octets of TCP in fragments of 16: sixteen of its header; the last four and twelve of data; twelve of data.

    Each fragment has an IPv4 header of its own, and only the first tells the ports. The server's IP puts them together
    before TCP sees anything. Over IPv6 only the sender may fragment, with an extension header: the segment goes whole.
    """
    listener = server.listen()
    x, y = peer.open()
    connection = listener.accept(peer)
    data = b"twenty-four octets of it"
    segment = TCP(flags="PA", seq=x + 1, ack=y + 1) / data

    if ":" in peer.address:
        peer.say("over IPv6 only the sender may fragment, with an extension header: sent whole")
        peer.send(segment)
        whole = next(p for p in peer.segments() if p.segment and p.segment.payload)
        peer.sees_layers(("Ethernet", 14), ("IPv6", 40), ("TCP", 20), ("Payload", 24), frame=whole.number)
    else:
        peer.send(segment, fragment=16)
        last = next(p for p in peer.segments() if p.segment and p.segment.payload).number
        peer.sees_layers(("Ethernet", 14), ("IPv4", 20), ("TCP", 16), frame=last - 2)
        peer.sees_layers(("Ethernet", 14), ("IPv4", 20), ("TCP", 4), ("Payload", 12), frame=last - 1)
        peer.sees_layers(("Ethernet", 14), ("IPv4", 20), ("Payload", 12), frame=last)
    peer.expect(TCP(flags="A", ack=x + 1 + 24))
    connection.receives(data)
