from lab.scenario import Peer, Server, scenario


@scenario(
    "Segments that come in any order, and twice, tell the same messages",
    documents=["RFC 6455 §6.2", "RFC 9293 §3.4", "RFC 9293 §3.10.7.4"],
    evidence_for=[
        "6455-6.2-parse", "6455-6.2-next", "9293-3.10-order", "9293-3.10.7.4-text-deliver",
    ],
    needs="echo",
)  # fmt: skip
def reordered_and_repeated_segments(peer: Peer, server: Server) -> None:
    """What the network does to segments is over when TCP hands on the octets: each message once, in the order sent."""
    ws = peer.websocket(server.websocket())
    ws.open()
    words = ["one", "two", "three", "four", "five", "six"]
    with ws.held() as segments:
        for word in words:
            ws.text(word)
    one, two, three, four, five, six = (segment for segment in segments if segment.payload)

    ws.put(two, two, four, one, three, one, six, four, five, six, one)
    for word in words:
        ws.expect_message(word)
    ws.expect_nothing()
    ws.leave()
