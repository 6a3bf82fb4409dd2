from dataclasses import replace

from lab.scenario import Peer, Server, scenario
from lab.tcp.segment import FIN
from lab.websocket.frames import close


@scenario(
    "A Close octet by octet, and one in the same segment as the FIN",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §6.2", "RFC 9293 §3.10.7.4"],
    evidence_for=["6455-5.5.1-respond", "6455-6.2-parse", "6455-6.2-control", "6455-7.1.1-client-may"],
    needs="websocket",
)
def in_segments(peer: Peer, server: Server) -> None:
    """TCP carries octets: where its segments begin and end means nothing to a frame.

    A Close comes octet by octet, and is answered when its last one is there. Another shares its segment with our FIN:
    the server reads the Close first, answers it, and closes its side.
    """
    site = server.websocket()
    ws = peer.another().websocket(site)
    ws.open()
    ws.send(close(1000, "so long"), cut=1)
    ws.expect_close_echoed(1000)
    ws.expect_end()

    ws = peer.websocket(site)
    ws.open()
    with ws.held() as ours:
        ws.close(1000)
        ws.finish()
    last = next(segment for segment in ours if segment.payload)
    ws.put(replace(last, flags=last.flags | FIN))
    ws.expect_close_echoed(1000)
    ws.expect_end()
