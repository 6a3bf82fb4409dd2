from lab.scenario import Peer, Server, scenario


@scenario(
    "The server speaks without being asked",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-4.2.2-open", "6455-6.1-transmit", "6455-6.1-fin"],
    needs="services",
)
def pushed_without_a_request(peer: Peer, server: Server) -> None:
    """We ask once, for the WebSocket. After that each price comes when there is one: we send ACKs, and no question."""
    ws = peer.websocket(server.websocket("/ticker?every=0.01"))
    ws.open()
    number = ws.hear(type="state")["number"]
    for one in range(number + 1, number + 11):
        ws.hear(type="price", number=one)

    asked = [p for p in peer.segments() if p.sender == "peer" and p.segment and p.segment.payload]
    peer.check(len(asked) == 1, "payload", "the upgrade request", f"{len(asked)} segments", "we ask for nothing more")
    ws.leave(pushed=True)
