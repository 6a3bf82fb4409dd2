from lab.scenario import Peer, Server, scenario

LONG = bytes(range(256)) * 400


@scenario(
    "A Close while a long message is on its way",
    documents=["RFC 6455 §5.5.1"],
    evidence_for=["6455-5.5.1-delay", "6455-5.5.1-respond", "6455-5.5.1-nodata-after", "6455-6.1-fin"],
    needs="echo",
)
def behind_a_long_message(peer: Peer, server: Server) -> None:
    """Our window is shut, so that the server's long message waits; then we close.

    The server may first send what it had begun, or leave the rest away. But its Close never stands inside a frame, and
    no data come behind it.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    with ws.not_reading():
        ws.binary(LONG)
        ws.close(1000)
    ws.expect_close_behind(LONG, 1000)
    ws.expect_end()
