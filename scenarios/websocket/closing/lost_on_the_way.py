from lab.scenario import Peer, Server, scenario


@scenario(
    "The server's Close is lost on the way",
    documents=["RFC 6455 §5.5.1", "RFC 9293 §3.8.1"],
    evidence_for=["6455-5.5.1-respond", "6455-5.5.1-tcp-close", "6455-5.5.1-nodata-after"],
    needs="websocket",
    takes=0.3,
)
def lost_on_the_way(peer: Peer, server: Server) -> None:
    """TCP sees to what the network loses: the segment with the Close comes again, and its octets are the same.

    The WebSocket never knows. There is one Close, and behind it the end.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.lose(1)
    ws.close(1000)
    ws.expect_close_echoed(1000)
    ws.expect_end()
