from dataclasses import replace

from lab.scenario import Peer, Server, scenario


@scenario(
    "Only GET opens a WebSocket",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §4.1"],
    evidence_for=["6455-4.2.1-get", "6455-4.1-req-get", "6455-4.2.1-stop", "6455-10.7-http-status"],
    needs="websocket",
)
def not_get(peer: Peer, server: Server) -> None:
    """POST and HEAD with all that a handshake needs, and a GET of nothing: each is refused in HTTP (item 1)."""
    site = server.websocket()
    for number, method in enumerate(("POST", "HEAD")):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(replace(ws.upgrade(), method=method))
        ws.expect_refused()

    ws = peer.another().websocket(site)
    head = ws.upgrade().encode()
    ws.request(b"GET HTTP/1.1" + head[head.index(b"\r\n") :])
    ws.expect_refused()
