from lab.scenario import Peer, Server, scenario


@scenario(
    "What is not there is not found",
    documents=["RFC 6455 §4.2.2"],
    evidence_for=["6455-4.2.2-resource", "6455-4.1-non101", "6455-7.2.2-abort"],
    needs="services",
)
def unknown_resource_404(peer: Peer, server: Server) -> None:
    """A handshake that is right in every field, for a service that the server does not have: 404, and no frame."""
    site = server.websocket("/no-such-service")
    ws = peer.websocket(site)
    ws.request(ws.upgrade())
    ws.expect_refused(404)
    ws.expect_end()

    ws = peer.another().websocket(site.at("/echo"))
    ws.open()
    ws.leave()
