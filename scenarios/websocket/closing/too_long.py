from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "A Close of 126 octets",
    documents=["RFC 6455 §5.5", "RFC 6455 §5.5.1"],
    evidence_for=["6455-5.5-125", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def too_long(peer: Peer, server: Server) -> None:
    """A Close is a control frame, and holds 125 octets: two of the code, and 123 of the reason. With one more it fails.

    The same reason without its last letter is fine.
    """
    site = server.websocket()
    ws = peer.another().websocket(site)
    ws.open()
    ws.send(close(1000, "." * 124))
    ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.send(close(1000, "." * 123))
    ws.expect_close_echoed(1000)
    ws.expect_end()
