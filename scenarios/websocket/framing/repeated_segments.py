from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import pong


@scenario(
    "A segment that comes again is no message more",
    documents=["RFC 9293 §3.4", "RFC 9293 §3.10.7.4", "RFC 6455 §6.2"],
    evidence_for=["6455-6.2-parse", "6455-6.2-next"],
    needs="echo",
)
def repeated_segments(peer: Peer, server: Server) -> None:
    """Each segment of a message and a Ping is delivered twice, and all of them once more when they were answered.

    The octets have their numbers: TCP drops what it has, and one message and one Pong come back.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    with ws.held() as segments:
        ws.text("once and no more", cut=8)
    for segment in segments:
        ws.put(segment, segment)
    ws.expect_message("once and no more")
    with ws.held() as more:
        ws.ping(b"once")
    ws.put(*more, *more)
    ws.expect(pong(b"once"))
    ws.put(*segments, *more)
    ws.expect_nothing()
    ws.leave()
