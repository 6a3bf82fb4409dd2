from lab.scenario import Peer, Server, scenario


@scenario(
    "A request may arrive with its end first",
    documents=["RFC 6455 §4.2.1", "RFC 9293 §3.4"],
    evidence_for=["6455-4.2.1-chunks"],
    needs="websocket",
)
def request_out_of_order_segments(peer: Peer, server: Server) -> None:
    """The network delivers the request's last segment first. TCP puts them in order: HTTP notices nothing."""
    ws = peer.websocket(server.websocket())
    ws.connect()
    with ws.held() as segments:
        ws.request(ws.upgrade(), cut=40)
    for segment in reversed(segments):
        ws.put(segment)
    ws.expect_response(101)
    ws.leave()
