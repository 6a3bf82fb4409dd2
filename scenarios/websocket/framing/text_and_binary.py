from lab.scenario import Peer, Server, scenario


@scenario(
    "Text and binary come back as what they are",
    documents=["RFC 6455 §5.6", "RFC 6455 §5.7", "RFC 6455 §6"],
    evidence_for=[
        "6455-4.2.2-open",
        "6455-5.1-data-any-time",
        "6455-5.2-single",
        "6455-5.4-support-both",
        "6455-5.6-text-utf8",
        "6455-5.6-binary",
        "6455-6.1-frame",
        "6455-6.1-opcode",
        "6455-6.1-fin",
        "6455-6.1-transmit",
        "6455-6.2-parse",
        "6455-6.2-type",
        "6455-6.2-unmask",
    ],
    needs="echo",
)
def text_and_binary(peer: Peer, server: Server) -> None:
    """The same five octets, as text and as data: the type is the opcode's, and goes back with the message.

    The last frame is the RFC's own example of a masked one, octet by octet (§5.7).
    """
    ws = peer.websocket(server.websocket())
    ws.open()

    ws.text("hello")
    ws.expect_message("hello")
    ws.binary(b"hello")
    ws.expect_message(b"hello")
    ws.text("καλημέρα, 世界 🌍")
    ws.expect_message("καλημέρα, 世界 🌍")

    ws.send_bytes(bytes.fromhex("81 85 37fa213d 7f9f4d5158"))
    ws.expect_message("Hello")
    ws.expect_nothing()
    ws.leave()
