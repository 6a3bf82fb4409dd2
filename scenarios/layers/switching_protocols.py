from lab.scenario import Peer, Server, scenario


@scenario(
    "The 101 is the last of HTTP: the octets behind it are frames",
    documents=["RFC 1122 §1.1.3", "RFC 6455 §4.2.2", "RFC 9293 §3.1"],
    evidence_for=["layer-7-http", "layer-5-session", "layer-6-presentation", "layer-map"],
    needs="websocket",
)
def switching_protocols(peer: Peer, server: Server) -> None:
    """From the status line to the empty line it is HTTP; TCP's header has 20 octets, since we offered no timestamps.

    The same connection, the same ports, and from the next octet on another protocol: the layers below do not notice.
    """
    ws = peer.websocket(server.websocket())
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    head = ws.open().raw

    came = [p for p in peer.segments() if p.sender == "server" and p.segment and p.segment.payload]
    left = len(head)
    for packet in came:
        assert packet.segment is not None
        here = len(packet.segment.payload)
        if here > left:
            peer.say("it shares a segment with what it pushes: such a segment is looked at in server_frame")
            break
        peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20), ("HTTP", here), frame=packet.number)
        left -= here
        if not left:
            break
    ws.leave()
