from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import text


@scenario(
    "A FIN without a Close frame",
    documents=["RFC 6455 §7.1.4", "RFC 6455 §7.1.5", "RFC 6455 §7.4.1"],
    evidence_for=["6455-7.1.5-code", "6455-7.1.6-reason", "6455-7.4.1-1006"],
    needs="services",
)
def fin_without_close(peer: Peer, server: Server) -> None:
    """We close TCP and have not said Close: between messages, inside a message, inside a frame.

    No Close will come any more. The server closes its side too, and its program is told 1006 each time.
    """
    site = server.websocket("/echo")
    half = text("never whole").masked().encode()[:9]
    for octets in (b"", text("to be continued", fin=False).masked().encode(), half):
        other = peer.another()
        ws = other.websocket(site)
        ws.open()
        ws.text("whole")
        ws.expect_message("whole")
        if octets:
            ws.send_bytes(octets)
        ws.finish()
        ws.expect_over()
        server.is_told(other, 1006, reason="", messages=1)
