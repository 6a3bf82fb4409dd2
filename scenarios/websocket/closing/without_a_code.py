from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "A Close without a code",
    documents=["RFC 6455 §5.5.1", "RFC 6455 §7.4.1"],
    evidence_for=["6455-5.5.1-body", "6455-5.5.1-respond", "6455-5.5.1-echo", "6455-7.4.1-1005"],
    needs="websocket",
)
def without_a_code(peer: Peer, server: Server) -> None:
    """A Close may be empty. Its answer is empty too, or says 1000: never 1005, which no Close frame may carry.

    1005 is the word for "there was no code", which each end says to its own program alone.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.send(close())
    ws.expect_close_echoed(None)
    ws.expect_end()
