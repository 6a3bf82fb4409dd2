from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, ping, text


@scenario(
    "A frame without a mask is refused",
    documents=["RFC 6455 §5.1", "RFC 6455 §7.1.7"],
    evidence_for=[
        "6455-5.1-unmasked-close", "6455-5.1-unmasked-1002", "6455-5.5.1-masked", "6455-5.3-flag",
        "6455-7.1.7-server", "6455-7.1.7-close-frame", "6455-7.1.7-omit", "6455-10.7-drop",
    ],
    needs="websocket",
)  # fmt: skip
def bad_unmasked(peer: Peer, server: Server) -> None:
    """A client masks every frame, so that no proxy on the way can be made to read it as something else.

    A server that sees a frame without a mask closes: neither is the text answered, nor the Ping, nor the Close.
    """
    site = server.websocket()
    for frame in (text("in clear"), ping(b"in clear"), close(1000)):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send(frame, masked=False)
        ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
