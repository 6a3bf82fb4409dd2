import zlib

from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import Opcode, text
from lab.websocket.handshake import parse_extensions

FIELD = "Sec-WebSocket-Extensions"


@scenario(
    "Compressed where it was agreed on, and nowhere else",
    documents=["RFC 6455 §5.8", "RFC 6455 §9.1", "RFC 7692 §7.2.3.1"],
    evidence_for=[
        "6455-5.8-negotiate",
        "6455-5.2-rsv-zero",
        "6455-6.2-ext",
        "6455-9-request",
        "6455-4.2.2-extensions",
    ],
    needs="echo",
)
def deflate_negotiated_or_not(peer: Peer, server: Server) -> None:
    """Without an offer nothing may be compressed. Offered, it is the server's choice, and its 101 tells.

    Where it agrees, RFC 7692's own example goes out, "Hello" in 7 octets with RSV1 set, and must come back as the same
    word, compressed or not. Where it does not, every reserved bit stays 0.
    """
    site = server.websocket()
    ws = peer.websocket(site)
    ws.open()
    ws.text("Hello")
    ws.expect_message("Hello")
    ws.leave()

    ws = peer.another().websocket(site)
    ws.request(ws.upgrade(extensions="permessage-deflate; client_no_context_takeover; server_no_context_takeover"))
    agreed = parse_extensions(ws.expect_response(101).all(FIELD))
    if not agreed:
        ws.send(text("Hello"))
        ws.expect_message("Hello")
        ws.leave()
        return

    ws.send(text(bytes.fromhex("f248cdc9c90700"), rsv=4))
    first = frame = ws.next_frame(Opcode.TEXT).frame
    octets = frame.payload
    fragments = 1
    while not frame.fin:
        frame = ws.next_frame(Opcode.CONTINUATION).frame
        octets, fragments = octets + frame.payload, fragments + 1
        enough = len(octets) < 100 and fragments < 100  # 5 letters, however they are compressed and cut
        ws.check(enough, "fin", "the end of the message", f"{fragments} fragments", "the message ends", "§5.4")
    if first.rsv & 4:
        try:
            octets = zlib.decompressobj(-15).decompress(octets + b"\x00\x00\xff\xff", 100)
        except zlib.error as error:
            ws.check(False, "payload", "Hello, compressed", str(error), "the message can be inflated", "§6.2")
    ws.check(octets == b"Hello", "payload", "Hello", repr(octets[:40]), "the message is inflated", "§6.2")
    ws.leave()
