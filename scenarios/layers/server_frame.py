from lab.scenario import Peer, Server, scenario


@scenario(
    "A server's frame by its layers: the same header without a key",
    documents=["RFC 1122 §1.1.3", "RFC 6455 §5.1", "RFC 6455 §5.2", "RFC 6455 §5.5.3"],
    evidence_for=["layer-7-ws-head", "layer-7-ws-payload", "layer-5-session"],
    needs="websocket",
)
def server_frame(peer: Peer, server: Server) -> None:
    """A Pong with our Ping's twelve octets: a header of 2, since a server never masks, and a payload of 12.

    Ping and Pong do what OSI gives to the session layer: they find out whether the other end is still there.
    """
    ws = peer.websocket(server.websocket())
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    ws.open()
    ws.ping(b"are you well")
    ws.expect_pongs(b"are you well")

    pong = bytes.fromhex("8a0c") + b"are you well"
    came = [p for p in peer.segments() if p.sender == "server" and p.segment and p.segment.payload == pong]
    if came:
        options = (came[0].frame[14 + ip[1] + 12] >> 4) * 4 - 20  # TCP's data offset; a server may have some
        peer.sees_layers(
            ("Ethernet", 14), ip, ("TCP", 20 + options), ("WebSocket", 2), ("Payload", 12), frame=came[0].number
        )  # fmt: skip
    else:
        peer.say("its Pong shares a segment with something else")
    ws.leave()
