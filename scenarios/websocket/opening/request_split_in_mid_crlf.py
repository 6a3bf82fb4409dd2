from lab.scenario import Peer, Server, scenario


@scenario(
    "A line's end may be cut in two",
    documents=["RFC 6455 §4.2.1", "RFC 9112 §2.2"],
    evidence_for=["6455-4.2.1-chunks"],
    needs="websocket",
)
def request_split_in_mid_crlf(peer: Peer, server: Server) -> None:
    """CR ends one segment, LF begins the next: after the request line, in a field, and in the empty line."""
    ws = peer.websocket(server.websocket())
    ws.connect()
    head = ws.upgrade().encode()
    cuts = [head.index(b"\r\n") + 1, head.index(b"\r\nSec-WebSocket-Key") + 1, len(head) - 3, len(head) - 1]
    for start, end in zip([0, *cuts], [*cuts, len(head)], strict=True):
        ws.request(head[start:end])
    ws.expect_response(101)
    ws.leave()
