from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "A segment may end anywhere in a frame's header",
    documents=["RFC 6455 §5.2", "RFC 6455 §6.2"],
    evidence_for=["6455-6.2-parse", "6455-5.2-len-order", "6455-5.3-algorithm"],
    needs="echo",
)
def boundary_of_segments_in_the_header(peer: Peer, server: Server) -> None:
    """The header of 8 octets is cut behind each of them: in the length, before the key, in the key.

    The one of 14 octets comes octet by octet, and its 65536 octets of payload behind it in full segments.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    message = "one hundred and twenty-six octets ".ljust(126, ".")
    for at in range(1, 9):
        frame = text(message).masked().encode()
        ws.send_bytes(frame[:at])
        ws.send_bytes(frame[at:])
        ws.expect_message(message)

    long = b"64 KiB".ljust(65536, b".")
    frame = binary(long).masked().encode()
    ws.send_bytes(frame[:14], cut=1)
    ws.send_bytes(frame[14:])
    ws.expect_message(long)

    fragments = text("a", fin=False).masked().encode() + continuation("b").masked().encode()
    ws.send_bytes(fragments[:8])
    ws.send_bytes(fragments[8:])
    ws.expect_message("ab")
    ws.leave()
