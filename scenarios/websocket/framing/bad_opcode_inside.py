from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "A further fragment names no type",
    documents=["RFC 6455 §5.4"],
    evidence_for=["6455-5.4-type", "6455-5.4-interleave", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_opcode_inside(peer: Peer, server: Server) -> None:
    """The first fragment says text or binary; those behind it are continuations, opcode 0.

    A last fragment that says text once more is a mistake, even where the type is the same: the connection fails.
    """
    site = server.websocket()
    for begun in ((text("Hel", fin=False),), (binary(b"H", fin=False), continuation("el", fin=False))):
        for last in (text("lo"), binary(b"lo"), text("")):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(*begun, last)
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
