from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Frame, Opcode


@scenario(
    "A Close of one octet",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.5.1-code", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def one_octet(peer: Peer, server: Server) -> None:
    """Where a Close has a body, two octets of it are the code. One octet is half a code: a protocol error."""
    site = server.websocket()
    for octet in (b"\x03", b"\x00", b"\xe8"):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(Frame(Opcode.CLOSE, octet))
        ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
