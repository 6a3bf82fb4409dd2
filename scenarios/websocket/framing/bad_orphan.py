from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, pong


@scenario(
    "A continuation with nothing to continue",
    documents=["RFC 6455 §5.4"],
    evidence_for=["6455-5.4-cont-orphan", "6455-5.4-type", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_orphan(peer: Peer, server: Server) -> None:
    """As the first frame of a connection, or behind a control frame, opcode 0 continues nothing: the connection fails.

    It makes no difference whether it calls itself the last fragment.
    """
    site = server.websocket()
    for last in (True, False):
        for words in (b"whose?", b""):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(continuation(words, fin=last))
            ws.expect_failed(1002)

        behind = peer.another().websocket(site)
        behind.open()
        behind.ping(b"a control frame is no beginning")
        behind.expect(pong(b"a control frame is no beginning"))
        behind.send(continuation("whose?", fin=last))
        behind.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
