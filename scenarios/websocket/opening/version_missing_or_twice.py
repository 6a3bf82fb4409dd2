from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Version"


@scenario(
    "A request says its version once",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §11.3.5"],
    evidence_for=["6455-4.2.1-version", "6455-11.3.5-version-once", "6455-4.2.1-stop", "6455-10.7-http-status"],
    needs="websocket",
)
def version_missing_or_twice(peer: Peer, server: Server) -> None:
    """Without a version, with an empty one, or with two, of which even both may be 13, it is no handshake."""
    site = server.websocket()
    for number, versions in enumerate(([], [""], ["13", "13"], ["13", "8"])):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=[FIELD], extra=[(FIELD, version) for version in versions]))
        ws.expect_refused()
