from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, ping, pong, text


@scenario(
    "A segment for each octet",
    documents=["RFC 6455 §6.2", "RFC 9293 §3.8"],
    evidence_for=["6455-6.2-parse", "6455-5.3-algorithm"],
    needs="echo",
)
def one_octet_a_segment(peer: Peer, server: Server) -> None:
    """Header, length, key and payload come in pieces of one octet, in a message, a Ping and fragments alike."""
    ws = peer.websocket(server.websocket())
    ws.open()
    ws.text("Grüße", cut=1)
    ws.expect_message("Grüße")
    ws.send(ping(b"ping"), cut=1)
    ws.expect(pong(b"ping"))
    ws.send(text("zw", fin=False), continuation("ei"), cut=1)
    ws.expect_message("zwei")
    ws.leave()
