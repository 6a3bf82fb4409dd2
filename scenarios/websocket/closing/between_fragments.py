from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, continuation, text


@scenario(
    "A Close between two fragments",
    documents=["RFC 6455 §5.4", "RFC 6455 §5.5.1"],
    evidence_for=["6455-5.4-ctl-handle", "6455-5.4-ctl-between", "6455-5.5.1-respond", "6455-5.5.1-soon"],
    needs="websocket",
)
def between_fragments(peer: Peer, server: Server) -> None:
    """A control frame may interrupt a message. A Close ends it there: what is missing will never come.

    So the server answers at once; even where the rest stands right behind, nothing comes of the message.
    """
    site = server.websocket()
    ws = peer.another().websocket(site)
    ws.open()
    ws.send(text("never ", fin=False), close(1000))
    ws.expect_close_echoed(1000)
    ws.expect_end()

    ws = peer.websocket(site)
    ws.open()
    ws.send(text("never ", fin=False), close(1000), continuation("mind"))
    ws.expect_close_echoed(1000)
    ws.expect_end()
