from lab.scenario import Peer, Server, scenario
from lab.websocket.handshake import parse_extensions

FIELD = "Sec-WebSocket-Extensions"
REGISTERED = {"permessage-deflate", "bbf-usp-protocol"}
"""The names that IANA has registered (RFC 6455 §11.4)."""
BITS = {str(bits) for bits in range(8, 16)}
PARAMETERS: dict[str, set[str | None]] = {
    "server_no_context_takeover": {None},
    "client_no_context_takeover": {None},
    "server_max_window_bits": {*BITS},
    "client_max_window_bits": {*BITS},
}
"""Those of permessage-deflate in an answer (RFC 7692 §7.1)."""


@scenario(
    "Extensions only of the offer",
    documents=["RFC 6455 §4.2.2", "RFC 6455 §9.1", "RFC 7692 §7.1"],
    evidence_for=[
        "6455-4.1-req-extensions",
        "6455-4.1-val-extensions",
        "6455-4.2.2-extensions",
        "6455-4.2.2-extensions-none",
        "6455-9-request",
        "6455-9-unrequested",
        "6455-9-params",
        "6455-9.1-registered",
        "6455-9.1-split",
        "6455-9.2-other",
        "6455-11.3.2-ext-response-once",
    ],
    needs="websocket",
)
def extensions_only_of_the_offer(peer: Peer, server: Server) -> None:
    """A server may take up what was offered, all or some or nothing, and cannot bring in what was not.

    Offered are: nothing; what nobody knows; compression; both, in two fields. What is agreed on is a registered name
    with its own parameters: a window of 8 to 15 bits, and the client's only if the client said that it can.
    """
    site = server.websocket()
    for number, offer in enumerate(
        (
            [],
            ["x-nobody-knows; level=3"],
            ["permessage-deflate; client_max_window_bits"],
            ["x-nobody-knows", "permessage-deflate"],
        )
    ):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(extra=[(FIELD, each) for each in offer]))
        answer = ws.expect_response(101)
        chosen = parse_extensions(answer.all(FIELD)) or []
        names = {name for name, _ in chosen}
        ws.check(names <= REGISTERED, FIELD, "registered names", ", ".join(names), "an extension is registered", "§9.1")
        for _, settings in chosen:
            known = {name: values for name, values in PARAMETERS.items() if name[0] == "s" or "client_max" not in name}
            if "client_max_window_bits" in "".join(offer):
                known = PARAMETERS
            ws.check(
                all(value in known.get(name, ()) for name, value in settings.items()),
                FIELD,
                "parameters of the extension that the offer allows",
                answer.header(FIELD) or "",
                "its parameters are legal",
                "§9.1",
            )
        if len(answer.all(FIELD)) > 1:
            peer.say(f"{FIELD} comes in several fields: §4.2.2 allows it, §11.3.2 does not")
        ws.expect_nothing()
        ws.leave()
