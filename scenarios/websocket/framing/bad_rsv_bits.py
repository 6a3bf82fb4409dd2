from dataclasses import replace

from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, continuation, ping, pong, text


@scenario(
    "A reserved bit that no extension has given a meaning",
    documents=["RFC 6455 §5.2", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.2-rsv-fail", "6455-7.1.7-server", "6455-7.1.7-close-frame", "6455-7.4.1-codes"],
    needs="websocket",
)
def bad_rsv_bits(peer: Peer, server: Server) -> None:
    """RSV1, RSV2 and RSV3 are 0 unless an extension was agreed upon in the opening handshake; here none was.

    Each of them fails the connection, whatever frame it stands in: the first of a message, a further one, a control
    frame.
    """
    site = server.websocket()
    frames = text("squeezed"), continuation("squeezed"), ping(b"squeezed"), pong(), close(1000)
    for frame in frames:
        for bit in (4, 2, 1):
            ws = peer.another().websocket(site)
            ws.open()
            if frame.opcode == 0:
                ws.send(text("plain", fin=False))
            ws.send(replace(frame, rsv=bit))
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
