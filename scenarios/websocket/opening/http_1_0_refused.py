from dataclasses import replace

from lab.scenario import Peer, Server, scenario


@scenario(
    "HTTP/1.0 knows no Upgrade",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §4.1"],
    evidence_for=["6455-4.2.1-get", "6455-4.1-req-get", "6455-4.2.1-stop"],
    needs="websocket",
)
def http_1_0_refused(peer: Peer, server: Server) -> None:
    """A handshake is a request of HTTP/1.1 or higher; the same words under HTTP/1.0 get an error and no 101."""
    ws = peer.websocket(server.websocket())
    ws.request(replace(ws.upgrade(), version="HTTP/1.0"))
    ws.expect_refused()
