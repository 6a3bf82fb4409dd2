from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, ping


@scenario(
    "A Ping behind a Close is not answered",
    documents=["RFC 6455 §5.5.2", "RFC 6455 §5.5.1"],
    evidence_for=["6455-5.5.2-pong", "6455-5.5.1-respond", "6455-5.5.1-tcp-close"],
    needs="websocket",
)
def ping_after_close(peer: Peer, server: Server) -> None:
    """A Ping is answered "unless it already received a Close frame". Here it stands right behind one.

    Only the Close is answered, and TCP closed: after both Close frames not even a Ping of the server's comes.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.send(close(1000), ping(b"too late"))
    ws.expect_close_echoed(1000)
    ws.expect_end(quiet=True)
