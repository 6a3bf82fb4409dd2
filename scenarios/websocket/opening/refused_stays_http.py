from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping, text


@scenario(
    "A refused connection carries no frames",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §7.2.2"],
    evidence_for=["6455-7.2.2-abort", "6455-4.2.1-stop", "6455-4.1-non101", "6455-6.1-open"],
    needs="websocket",
)
def refused_stays_http(peer: Peer, server: Server) -> None:
    """After an HTTP error the connection is closed, or goes on as HTTP. Frames behind the request get no answer.

    A Ping and a text are in the segment of the bad request, and again behind the refusal where the server lets us; a
    second connection, opened and closed behind them, shows that the server has had its time.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    frames = ping(b"anybody there?").masked().encode() + text("hello").masked().encode()
    ws.request(ws.upgrade(without=["Sec-WebSocket-Key"]).encode() + frames)
    ws.expect_refused()
    if not ws.ended:
        ws.send_bytes(frames)

    other = peer.another().websocket(site)
    other.open()
    other.leave()
    ws.attend()
