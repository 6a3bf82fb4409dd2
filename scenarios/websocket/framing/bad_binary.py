from lab.scenario import Peer, Server, scenario


@scenario(
    "Binary where the program takes text",
    documents=["RFC 6455 §7.4.1", "RFC 6455 §5.6"],
    evidence_for=["6455-7.4.1-codes", "6455-7.3-server-close", "6455-6.2-type"],
    needs="services",
)
def bad_binary(peer: Peer, server: Server) -> None:
    """The frame is well-formed, and the protocol has nothing against it. But the chat's messages are text.

    1003 says so: a type of data that this end cannot accept. Nobody in the room hears of it.
    """
    room = server.websocket(f"/chat/binary-{peer.port}")
    ws = peer.websocket(room)
    ws.open()
    ws.next_message(expected="the room's welcome")
    ws.binary(b'{"type": "say", "text": "these octets might be text"}')
    ws.expect_failed(1003)
    server.is_told(peer, messages=1)
