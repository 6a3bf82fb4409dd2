from lab.scenario import Peer, Server, scenario


@scenario(
    "A request may come one octet at a time",
    documents=["RFC 6455 §4.2.1", "RFC 9293 §3.8"],
    evidence_for=["6455-4.2.1-chunks"],
    needs="websocket",
)
def request_one_octet_a_segment(peer: Peer, server: Server) -> None:
    """TCP carries a stream of octets and keeps no boundaries: a segment for each of them makes the same request."""
    ws = peer.websocket(server.websocket())
    ws.request(ws.upgrade(), cut=1)
    ws.expect_response(101)
    ws.leave()
