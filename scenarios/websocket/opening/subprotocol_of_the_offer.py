from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Protocol"
OFFERS = (
    (("unheard-of.lab", "chat.lab", "json.lab", "superchat"),),
    (("unheard-of.lab",), ("chat.lab", "json.lab"), ("superchat",)),
)


@scenario(
    "The server chooses one subprotocol of the offer",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.2", "RFC 6455 §11.3.4"],
    evidence_for=[
        "6455-4.1-req-protocol",
        "6455-4.1-val-protocol",
        "6455-4.2.2-subprotocol",
        "6455-11.3.4-protocol-request",
        "6455-11.3.4-protocol-once",
    ],
    needs="websocket",
)
def subprotocol_of_the_offer(peer: Peer, server: Server) -> None:
    """Of four subprotocols in one field the answer names one, or none. In three fields they are the same offer."""
    site = server.websocket()
    chosen = []
    for number, offer in enumerate(OFFERS):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(extra=[(FIELD, ", ".join(names)) for names in offer]))
        chosen.append(ws.expect_response(101).all(FIELD))
        ws.leave()
    ws.check(
        chosen[0] == chosen[1],
        FIELD,
        ", ".join(chosen[0]) or "no such field",
        ", ".join(chosen[1]) or "no such field",
        "an offer in several fields is the offer of all of them",
        "§11.3.4",
    )
