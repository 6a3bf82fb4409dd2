from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, text


@scenario(
    "The program hears nothing of what comes behind a Close",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §7.1.5"],
    evidence_for=["6455-5.5.1-nodata-after", "6455-7.1.5-code"],
    needs="services",
)
def data_after_close_untold(peer: Peer, server: Server) -> None:
    """One message before the Close, two behind it, and a second Close: the program was given one message.

    The code that it is told is that of the first Close.
    """
    ws = peer.websocket(server.websocket("/echo"))
    ws.open()
    ws.text("before")
    ws.expect_message("before")
    ws.send(close(4000, "first"), text("behind"), text("far behind"), close(4001, "second"))
    ws.expect_close(4000)
    ws.expect_end()
    server.is_told(peer, 4000, reason="first", messages=1)
