from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import pong


@scenario(
    "A Pong says what the Ping said",
    documents=["RFC 6455 §5.5.2", "RFC 6455 §5.5.3"],
    evidence_for=[
        "6455-5.5.2-pong",
        "6455-5.5.2-payload",
        "6455-5.5.2-soon",
        "6455-5.5.2-anytime",
        "6455-5.5.3-same",
        "6455-5.5-125",
        "6455-6.2-control",
    ],
    needs="websocket",
)
def ping_answered_alike(peer: Peer, server: Server) -> None:
    """Octet by octet, from none to 125, which is the most that a control frame carries; text or not.

    The second is the RFC's own example, masked (§5.7).
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.ping()
    ws.expect(pong())
    ws.send_bytes(bytes.fromhex("89 85 37fa213d 7f9f4d5158"))
    ws.expect(pong(b"Hello"))
    for payload in (b"x", b"\x00", bytes(range(125)), bytes(range(131, 256)), b"\xc0\xff", b"p" * 125):
        ws.ping(payload)
        ws.expect(pong(payload))
    ws.leave()
