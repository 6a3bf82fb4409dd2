from dataclasses import replace

from lab.scenario import Peer, Server, scenario


@scenario(
    "A target may be a whole URI",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.1", "RFC 9112 §3.2.2"],
    evidence_for=["6455-4.1-req-uri", "6455-4.2.1-get"],
    needs="websocket",
)
def target_in_absolute_form(peer: Peer, server: Server) -> None:
    """`GET http://host/resource` names the same resource as `GET /resource`: a server takes both (item 1)."""
    site = server.websocket()
    ws = peer.websocket(site)
    ws.request(replace(ws.upgrade(), target=f"http://{site.authority}{site.resource}"))
    answer = ws.expect_response()
    ws.check(answer.status == 101, "status", "101", answer.line, "a target in absolute form is taken", "§4.2.1")
    ws.leave()
