from lab.scenario import Peer, Server, scenario


@scenario(
    "A message may be empty",
    documents=["RFC 6455 §5.2", "RFC 6455 §5.6"],
    evidence_for=["6455-6.1-transmit", "6455-6.2-type", "6455-5.2-single", "6455-6.1-fin"],
    needs="echo",
)
def empty_messages(peer: Peer, server: Server) -> None:
    """Length 0 is a length: an empty text and empty data are messages like any other, and keep their place."""
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.text("")
    ws.expect_message("")
    ws.binary(b"")
    ws.expect_message(b"")
    for message in ("before", "", "behind"):
        ws.text(message)
    for message in ("before", "", "behind"):
        ws.expect_message(message)
    ws.expect_nothing()
    ws.leave()
