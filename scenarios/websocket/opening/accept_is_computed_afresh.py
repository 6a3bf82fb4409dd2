from lab.scenario import Peer, Server, scenario

# Worked out with `printf '%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11' KEY | openssl dgst -sha1 -binary | base64`.
KEYS = (
    ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ("  x3JJHMbDL1EzLkh9GBhXDw==\t ", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
)


@scenario(
    "Each key has its own Accept, and blanks are no part of a key",
    documents=["RFC 6455 §4.1", "RFC 6455 §4.2.2", "RFC 6455 §11.3.3"],
    evidence_for=["6455-4.2.2-accept", "6455-4.1-val-accept", "6455-11.3.3-accept-once"],
    needs="websocket",
)
def accept_is_computed_afresh(peer: Peer, server: Server) -> None:
    """An answer that was kept from another connection does not fit: that is what the key is for.

    The third key is the second with blanks around it. A header field's value begins and ends without them.
    """
    site = server.websocket()
    for number, (key, accept) in enumerate(KEYS):
        ws = (peer.another() if number else peer).websocket(site)
        ws.request(ws.upgrade(key=key))
        answer = ws.expect_response(101)
        got = answer.all("Sec-WebSocket-Accept")
        ws.check(
            got == (accept,),
            "Sec-WebSocket-Accept",
            accept,
            ", ".join(got) or "no such field",
            f"Accept is that of the key {key.strip()}",
            "§4.2.2",
        )
        ws.leave()
