from lab.scenario import Peer, Server, scenario


@scenario(
    "Five fields open a WebSocket",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.1"],
    evidence_for=["6455-4.2.1-optional", "6455-4.2.1-origin-absent", "6455-4.2.2-extensions-none", "6455-4.2.2-101"],
    needs="websocket",
)
def minimal_request(peer: Peer, server: Server) -> None:
    """Host, Upgrade, Connection, key and version: all else is optional.

    Without an Origin nobody should take it for a browser's. What was not offered, the 101 does not name.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    request = ws.upgrade()
    ws.request(request)
    answer = ws.expect_response(101)

    ws.check(
        len(request.headers) == 5, "request", "5 fields", str(len(request.headers)), "nothing else is sent", "§4.1"
    )
    for name in ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"):
        got = answer.all(name)
        ws.check(not got, name, "no such field", ", ".join(got), "what was not offered is not agreed on", "§4.2.2")
    ws.expect_nothing()
    ws.leave()
