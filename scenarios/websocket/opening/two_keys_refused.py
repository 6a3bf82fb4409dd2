from lab.scenario import Peer, Server, scenario

FIELD = "Sec-WebSocket-Key"
KEY, OTHER = "dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA=="


@scenario(
    "Two keys are one too many",
    documents=["RFC 6455 §11.3.1", "RFC 6455 §4.2.1"],
    evidence_for=["6455-11.3.1-key-once", "6455-4.2.1-stop", "6455-10.7-http-status"],
    needs="websocket",
)
def two_keys_refused(peer: Peer, server: Server) -> None:
    """Which of two keys would the Accept answer? The field must not come twice, not even with the same key."""
    site = server.websocket()
    for number, keys in enumerate(((KEY, OTHER), (KEY, KEY))):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(without=[FIELD], extra=[(FIELD, key) for key in keys]))
        ws.expect_refused()
