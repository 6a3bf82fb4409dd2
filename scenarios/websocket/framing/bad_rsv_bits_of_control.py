from dataclasses import replace

from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close, ping, pong


@scenario(
    "A reserved bit in a control frame",
    documents=["RFC 6455 §5.2", "RFC 6455 §7.1.7"],
    evidence_for=["6455-5.2-rsv-fail", "6455-7.1.7-server", "6455-7.1.7-close-frame", "6455-7.4.1-codes"],
    needs="websocket",
)
def bad_rsv_bits_of_control(peer: Peer, server: Server) -> None:
    """Short as a control frame is, its reserved bits are looked at as well: each of them fails the connection.

    So the Ping has no Pong, and the Close is answered as what it is, an error.
    """
    site = server.websocket()
    for frame in (ping(b"squeezed"), pong(), close(1000)):
        for rsv in (4, 2, 1):
            ws = peer.another().websocket(site)
            ws.open()
            ws.send(replace(frame, rsv=rsv))
            ws.expect_failed(1002)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
