from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, continuation, ping, pong, text


@scenario(
    "A control frame is never fragmented",
    documents=["RFC 6455 §5.4", "RFC 6455 §5.5"],
    evidence_for=["6455-5.4-ctl-nofrag", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_fragmented_control(peer: Peer, server: Server) -> None:
    """A Ping, a Pong and a Close with FIN 0 fail the connection at once: what would follow need not be waited for.

    Nor may it happen in the middle of a message, where a continuation could be taken for either's.
    """
    site = server.websocket()
    for frame in (ping(b"half", fin=False), pong(b"half", fin=False), close(1000, fin=False)):
        alone = peer.another().websocket(site)
        alone.open()
        alone.send(frame)
        alone.expect_failed(1002)

        inside = peer.another().websocket(site)
        inside.open()
        inside.send(text("a message ", fin=False), frame, continuation("whose?"))
        inside.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
