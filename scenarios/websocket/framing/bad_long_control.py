from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import ping, pong


@scenario(
    "A control frame of 126 octets is too long",
    documents=["RFC 6455 §5.5"],
    evidence_for=["6455-5.5-125", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_long_control(peer: Peer, server: Server) -> None:
    """125 octets are the most that a control frame holds: its length always fits into 7 bits. With one more it fails.

    A header that announces too much is enough: the octets themselves may never come.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    ws.open()
    ws.ping(b"." * 125)
    ws.expect(pong(b"." * 125))
    ws.send(ping(b"." * 126))
    ws.expect_failed(1002)

    for frame in (pong(b"." * 126), ping(b"." * 1000)):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(frame)
        ws.expect_failed(1002)
