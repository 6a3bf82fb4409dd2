from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, text


@scenario(
    "Two messages stay two",
    documents=["RFC 6455 §5.4", "RFC 6455 §6.2"],
    evidence_for=["6455-6.2-next", "6455-6.2-type", "6455-6.2-parse", "6455-6.1-opcode"],
    needs="echo",
)
def two_messages_back_to_back(peer: Peer, server: Server) -> None:
    """In one segment, then with a segment's end in the middle of the second: the stream has no place for a boundary,
    the frames have.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    for cut in (None, 14):
        ws.send(text("one"), text("and two"), cut=cut)
        ws.expect_message("one")
        ws.expect_message("and two")
        ws.send(text("one"), binary(b"and two"), cut=cut)
        ws.expect_message("one")
        ws.expect_message(b"and two")
    ws.expect_nothing()
    ws.leave()
