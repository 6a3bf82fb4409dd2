from lab.scenario import Peer, Server, scenario

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@scenario(
    "The handshake of the RFC, word by word",
    documents=["RFC 6455 §1.3", "RFC 6455 §4.1", "RFC 6455 §4.2.2"],
    evidence_for=[
        "6455-4.1-open",
        "6455-4.1-send",
        "6455-4.1-req-http",
        "6455-4.1-val-accept",
        "6455-4.1-val-any",
        "6455-4.2.2-steps",
        "6455-4.2.2-reply",
        "6455-4.2.2-101",
        "6455-4.2.2-upgrade",
        "6455-4.2.2-connection",
        "6455-4.2.2-accept",
        "6455-11.3.3-accept-once",
        "6455-11.3.4-protocol-once",
    ],
    needs="websocket",
)
def exact_101(peer: Peer, server: Server) -> None:
    """The request of RFC 6455 §1.3, with this server's name in it, and the answer that belongs to it.

    Sec-WebSocket-Accept proves that the server read this key: the key and a fixed GUID behind it, SHA-1, base64. The
    RFC works it out by hand, and so the value below is the RFC's and not the lab's.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    ws.connect()

    ws.request(
        f"GET {site.resource} HTTP/1.1\r\n"
        f"Host: {site.authority}\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Origin: http://{site.authority}\r\n"
        "Sec-WebSocket-Protocol: chat, superchat\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "\r\n".encode()
    )
    answer = ws.expect_response(101)

    for name, expected in (("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Accept", ACCEPT)):
        got = answer.all(name)
        holds = got == (ACCEPT,) if expected == ACCEPT else answer.has_token(name, expected)
        ws.check(holds, name, expected, ", ".join(got) or "no such field", f"the 101 has this {name}", "§4.2.2")
    chosen = answer.all("Sec-WebSocket-Protocol")
    ws.check(
        chosen in ((), ("chat",), ("superchat",)),
        "Sec-WebSocket-Protocol",
        "chat, or superchat, or no such field",
        ", ".join(chosen),
        "a subprotocol is one of those offered",
        "§4.2.2",
    )
    ws.leave()
