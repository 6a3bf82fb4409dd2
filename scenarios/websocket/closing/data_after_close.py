from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, close, text


@scenario(
    "What comes behind a Close is not answered",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §1.4"],
    evidence_for=["6455-5.5.1-nodata-after", "6455-5.5.1-respond", "6455-6.1-open"],
    needs="websocket",
)
def data_after_close(peer: Peer, server: Server) -> None:
    """A Close is the last thing that an end says. Messages behind it, in the same segment, are thrown away.

    Only the one Close comes back, and the end of TCP.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.send(close(1000), text("one more thing"), binary(b"and another"), close(1001))
    ws.expect_close_echoed(1000)
    ws.expect_end(quiet=True)
