from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import pong, text

WHOLE = text("a message that never ends").masked().encode()


@scenario(
    "The client vanishes in the middle of a frame",
    documents=["RFC 6455 §7.1.4", "RFC 6455 §10.7"],
    evidence_for=["6455-10.7-validate", "6455-7.1.1-client-may"],
    needs="websocket",
)
def bad_end_inside(peer: Peer, server: Server) -> None:
    """Cut off in the header, in the masking key, in the payload: first by a RST, then by a FIN.

    The server lets go of the connection, closes its own side where ours is closed, answers nothing that was not whole,
    and serves the next client.
    """
    site = server.websocket()
    for cut in (1, 4, 12):
        ws = peer.another().websocket(site)
        ws.open()
        ws.send_bytes(WHOLE[:cut])
        ws.reset()

        ws = peer.another().websocket(site)
        ws.open()
        ws.send_bytes(WHOLE[:cut])
        ws.finish()
        ws.expect_over()

    ws = peer.websocket(site)
    ws.open()
    ws.ping(b"alive?")
    ws.expect(pong(b"alive?"))
    ws.leave()
