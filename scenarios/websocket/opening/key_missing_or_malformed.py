from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Key"
KEYS = {
    "no key": None,
    "an empty key": "",
    "15 octets": "dGhlIHNhbXBsZSBub25j",
    "17 octets": "dGhlIHNhbXBsZSBub25jZSE=",
    "24 letters that are no base64": "the sample nonce, 24 of!",
    "cut by its last letter": "dGhlIHNhbXBsZSBub25jZQ=",
}


@scenario(
    "A key is 16 octets in base64",
    documents=["RFC 6455 §4.2.1", "RFC 6455 §4.2.2"],
    evidence_for=["6455-4.2.1-key", "6455-4.1-req-key", "6455-4.2.1-stop", "6455-10.7-http-status"],
    needs="websocket",
)
def key_missing_or_malformed(peer: Peer, server: Server) -> None:
    """Whatever does not decode to 16 octets is no key, and a request without a key is no handshake (item 5).

    §4.2.2 adds that a server need not decode it, and many do not look: one that takes a key for what it is not is
    permitted to. But no key at all, or an empty one, must be refused.
    """
    site = server.websocket()
    for number, (what, key) in enumerate(KEYS.items()):
        ws = (peer.another() if number else peer).websocket(site)
        peer.say(what)
        ws.request(ws.upgrade(without=[FIELD], extra=[] if key is None else [(FIELD, key)]))
        answer = ws.expect_refused(or_taken="ws-key-not-decoded" if key else "")
        if answer is not None and answer.status == 101:
            ws.leave()
