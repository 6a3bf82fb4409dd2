from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping


@scenario(
    "A frame right behind the request",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.2"],
    evidence_for=["6455-4.1-wait", "6455-4.2.2-open", "6455-5.1-data-any-time", "6455-10.7-validate"],
    needs="websocket",
)
def first_frame_with_the_request(peer: Peer, server: Server) -> None:
    """A client waits for the 101 before it sends a frame. This one does not, and its Ping shares the request's segment.

    No rule says what becomes of that Ping. But no frame comes before the 101; and a server that sent it is open, for
    this client as for the next.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    early = ping(b"too early").masked()
    ws.request(ws.upgrade().encode() + early.encode())
    answer = ws.expect_response()
    if answer.status == 101:
        ws.ping(b"in time")
        ws.expect_pongs(b"too early", b"in time")
        ws.leave()
    else:
        ws.check(answer.status >= 400, "status", "101 or an HTTP error", answer.line, "the server answers", "§4.2.2")

    other = peer.another().websocket(site)
    other.open()
    other.leave()
