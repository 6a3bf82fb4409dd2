from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Frame


@scenario(
    "Opcodes kept for control frames to come",
    documents=["RFC 6455 §5.2", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.2-opcode-fail", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_opcodes_of_control(peer: Peer, server: Server) -> None:
    """8 to 15 are control frames; of these only Close, Ping and Pong have a meaning. Any other fails the connection.

    A later version may give them one, and the opening handshake will say so. Until then nobody may send them.
    """
    site = server.websocket()
    for opcode in (11, 12, 13, 14, 15):
        for payload in (b"", b"what am I?"):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(Frame(opcode, payload))
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
