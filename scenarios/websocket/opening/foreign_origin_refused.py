from lab.scenario import Peer, Server, scenario


@scenario(
    "A page from elsewhere is refused",
    documents=["RFC 6455 §10.2", "RFC 6455 §4.2.2 step 4"],
    evidence_for=[
        "6455-4.2.1-origin-absent",
        "6455-4.2.2-origin",
        "6455-4.2.2-origin-use",
        "6455-10.2-403",
        "6455-10.2-verify",
    ],
    needs="services",
)
def foreign_origin_refused(peer: Peer, server: Server) -> None:
    """A browser says from which site a page comes that opens a WebSocket, and no script in the page can change it. A
    server meant for one site refuses the others with 403. A client that says no Origin is no browser, and not refused
    for that.
    """
    site = server.websocket("/members")

    ws = peer.websocket(site)
    ws.request(ws.upgrade(extra=[("Origin", "http://elsewhere.example")]))
    ws.expect_refused(403)

    for fields in ([("Origin", "http://lab.example")], []):
        ws = peer.another().websocket(site)
        ws.request(ws.upgrade(extra=fields))
        ws.expect_response(101)
        ws.leave()
