from lab.scenario import Peer, Server, scenario


@scenario(
    "Segments in any order, messages in theirs",
    documents=["RFC 9293 §3.4", "RFC 9293 §3.10.7.4", "RFC 6455 §6.2"],
    evidence_for=["6455-6.2-parse", "6455-5.4-order", "6455-6.2-next"],
    needs="echo",
)
def frames_out_of_order_segments(peer: Peer, server: Server) -> None:
    """Five messages in segments of 7 octets, which arrive from the last to the first, then every second one early.

    TCP keeps what comes early until the gap is filled. WebSocket sees a stream and notices nothing.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    messages = [f"message number {number}" for number in range(5)]
    for way in ("backwards", "every second one early"):
        with ws.held() as segments:
            for message in messages:
                ws.text(message, cut=7)
        ws.put(*(segments[::-1] if way == "backwards" else segments[1::2] + segments[::2]))
        for message in messages:
            ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
