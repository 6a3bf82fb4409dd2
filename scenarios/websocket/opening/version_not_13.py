from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Version"


@scenario(
    "A version that is not 13 is told which ones are",
    documents=["RFC 6455 §4.2.2", "RFC 6455 §4.4"],
    evidence_for=[
        "6455-4.2.2-version",
        "6455-4.4-version-list",
        "6455-4.2.1-version",
        "6455-4.1-req-version",
        "6455-11.3.5-version-response",
    ],
    needs="websocket",
)
def version_not_13(peer: Peer, server: Server) -> None:
    """The refusal lists the versions that the server speaks, and who asks again with one of them is let in.

    So a client of a later version can find out how to talk to an old server.
    """
    site = server.websocket()
    for number, version in enumerate(("25", "0", "8")):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=[FIELD], extra=[(FIELD, version)]))
        answer = ws.expect_response()
        ws.check(
            400 <= answer.status <= 499,
            "status",
            "an HTTP error such as 426",
            answer.line,
            f"a server that does not speak version {version} refuses",
            "§4.2.2",
        )
        versions = answer.tokens(FIELD)
        ws.check(
            "13" in versions,
            FIELD,
            "a list with 13 in it",
            ", ".join(versions) or "no such field",
            "the refusal says which versions the server speaks",
            "§4.4",
        )

    ws = peer.another().websocket(site)
    ws.request(ws.upgrade(without=[FIELD], extra=[(FIELD, "13")]))
    ws.expect_response(101)
    ws.leave()
