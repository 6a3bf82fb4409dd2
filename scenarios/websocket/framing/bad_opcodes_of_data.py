from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Frame


@scenario(
    "Opcodes kept for data frames to come",
    documents=["RFC 6455 §5.2", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.2-opcode-fail", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_opcodes_of_data(peer: Peer, server: Server) -> None:
    """Of the opcodes 0 to 7 the last five have no meaning yet: an endpoint that does not know them fails.

    To pass over such a frame would be to lose what the client meant, and neither end would know.
    """
    site = server.websocket()
    for opcode in (3, 4, 5, 6, 7):
        for payload in (b"", b"what am I?"):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(Frame(opcode, payload))
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
