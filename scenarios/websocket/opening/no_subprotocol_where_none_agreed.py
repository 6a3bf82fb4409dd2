from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Protocol"


@scenario(
    "Where no subprotocol is agreed on, none is named",
    documents=["RFC 6455 §4.2.2"],
    evidence_for=["6455-4.2.2-subprotocol-none", "6455-4.1-val-protocol", "6455-4.1-non101"],
    needs="websocket",
)
def no_subprotocol_where_none_agreed(peer: Peer, server: Server) -> None:
    """Nothing was offered, or nothing that the server speaks: the field is absent. An empty one would be illegal.

    A server that knows no subprotocol at all may take whatever it is offered, and one that needs its own may refuse.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    answer = ws.open()
    got = answer.all(FIELD)
    ws.check(not got, FIELD, "no such field", repr(", ".join(got)), "nobody offered a subprotocol", "§4.2.2")
    ws.leave()

    ws = peer.another().websocket(site)
    ws.request(ws.upgrade(subprotocols=["nobody-speaks.this"]))
    answer = ws.expect_response()
    if answer.status != 101:
        ws.check(answer.status >= 400, "status", "101 or an HTTP error", answer.line, "the server refuses", "§4.2.2")
        return
    got = answer.all(FIELD)
    ws.check(
        got in ((), ("nobody-speaks.this",)),
        FIELD,
        "no such field",
        repr(", ".join(got)),
        "the field is absent, or names what was offered",
        "§4.2.2",
    )
    ws.leave()
