from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "A reason that is not UTF-8",
    documents=["RFC 6455 §8.1", "RFC 6455 §5.5.1"],
    evidence_for=["6455-8.1-utf8", "6455-5.5.1-reason", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_utf8_in_reason(peer: Peer, server: Server) -> None:
    """The reason of a Close is text, and is held to what text is held to: 1007, though the client wanted to close."""
    site = server.websocket()
    for octets in (b"\xff", b"bye \xc0\xaf", b"bye \xed\xa0\x80", b"bye \xf4\x90\x80\x80", b"bye \xe2\x82"):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(close(1000, octets))
        ws.expect_failed(1007)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
