from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, text


@scenario(
    "A reserved bit that no extension has given a meaning",
    documents=["RFC 6455 §5.2", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.2-rsv-fail", "6455-7.1.7-server", "6455-7.1.7-close-frame", "6455-7.4.1-codes"],
    needs="websocket",
)
def bad_rsv_bits(peer: Peer, server: Server) -> None:
    """RSV1, RSV2 and RSV3 are 0 unless an extension was agreed upon in the opening handshake; here none was.

    Each of them fails the connection: in a whole message, in the first of two fragments, and in the second.
    """
    site = server.websocket()
    for rsv in (4, 2, 1):
        for frames in (
            [text("squeezed", rsv=rsv)],
            [text("squee", rsv=rsv, fin=False), continuation("zed")],
            [text("squee", fin=False), continuation("zed", rsv=rsv)],
        ):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(*frames)
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
