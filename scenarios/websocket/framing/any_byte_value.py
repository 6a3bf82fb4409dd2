from lab.scenario import Peer, Server, scenario


@scenario(
    "Binary data is any data",
    documents=["RFC 6455 §5.6"],
    evidence_for=["6455-5.6-binary", "6455-6.2-unmask"],
    needs="echo",
)
def any_byte_value(peer: Peer, server: Server) -> None:
    """All 256 octets, in order, reversed, and what is no UTF-8: binary messages are held to nothing."""
    ws = peer.websocket(server.websocket())
    ws.open()
    every = bytes(range(256))
    for message in (every, every[::-1], b"\xff\xfe\xc0\x80\xed\xa0\x80", b"\x00" * 9, b"HTTP/1.1 200 OK\r\n\r\n"):
        ws.binary(message)
        ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
