from lab.scenario import Peer, Server, State, scenario
from lab.websocket.frames import continuation, text


@scenario(
    "The connection is reset in the middle of a message",
    documents=["RFC 6455 §7.1.4", "RFC 6455 §7.1.5", "RFC 6455 §7.4.1"],
    evidence_for=["6455-7.1.5-code", "6455-7.1.6-reason", "6455-7.4.1-1006"],
    needs="services",
)
def reset_inside(peer: Peer, server: Server) -> None:
    """No Close frame came, so the server's program is told 1006, the code that is never sent.

    Of the message, of which one fragment had come and half of another, it hears nothing.
    """
    ws = peer.websocket(server.websocket("/echo"))
    ws.open()
    ws.text("whole")
    ws.expect_message("whole")
    ws.send(text("one fragment, ", fin=False))
    ws.send_bytes(continuation("and half of another").masked().encode()[:10])
    ws.reset()
    server.is_in(State.CLOSED)
    server.is_told(peer, 1006, reason="", messages=1)
