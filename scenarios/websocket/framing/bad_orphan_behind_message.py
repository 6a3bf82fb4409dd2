from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, text


@scenario(
    "A continuation of a message that has ended",
    documents=["RFC 6455 §5.4", "RFC 6455 §6.2"],
    evidence_for=["6455-5.4-cont-orphan", "6455-5.4-type", "6455-6.2-next", "6455-7.1.7-close-frame"],
    needs="echo",
)
def bad_orphan_behind_message(peer: Peer, server: Server) -> None:
    """FIN 1 ends a message, whether it came in one frame or in several: behind it nothing is left to continue.

    The message itself was good, and its echo has come; the continuation fails the connection.
    """
    site = server.websocket()
    for last in (True, False):
        for message in ((text("whole"),), (text("wh", fin=False), continuation("ole"))):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(*message)
            ws.expect_message("whole")
            ws.send(continuation(" and more", fin=last))
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
