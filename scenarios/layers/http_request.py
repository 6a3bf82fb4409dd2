from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import close


@scenario(
    "The request that opens a WebSocket is text, and every octet of it is HTTP's",
    documents=["RFC 1122 §1.1.3", "RFC 6455 §4.1", "RFC 9112 §2.1"],
    evidence_for=["layer-7-http", "layer-5-session", "layer-6-presentation", "layer-map"],
    needs="websocket",
)
def http_request(peer: Peer, server: Server) -> None:
    """A line for each header field, two octets to end each, an empty line to end all. TCP hands them on unread.

    OSI's session layer (the opening handshake) and its presentation layer (base64 in Sec-WebSocket-Key) are at work
    in these octets without a header of their own.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    ip = ("IPv6", 40) if ":" in peer.address else ("IPv4", 20)
    lines = [
        f"GET {site.resource} HTTP/1.1",
        f"Host: {site.authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    octets = sum(len(line) + 2 for line in lines) + 2

    ws.request("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    request = next(p for p in peer.segments() if p.segment and p.segment.payload)
    peer.sees_layers(("Ethernet", 14), ip, ("TCP", 20), ("HTTP", octets), frame=request.number)

    ws.expect_response(101)
    ws.send(close(1000))
    ws.expect_close_echoed(1000)
    ws.expect_end()
