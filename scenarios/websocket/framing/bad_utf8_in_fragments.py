from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, ping, pong, text

NOT_UTF8 = {
    "a bad octet in the first of two fragments": (b"bad \xff ", b"good"),
    "a character that the next fragment breaks": (b"\xe2\x82", b"("),
    "a character that the last fragment does not end": (b"\xe2", b"\x82"),
    "a character cut off, and then nothing": (b"\xf0\x9f\x98", b""),
    "a surrogate over two fragments": (b"\xed", b"\xa0\x80"),
    "U+110000 octet by octet": (b"\xf4", b"\x90", b"\x80", b"\x80"),
    "a slash in two octets, in two fragments": (b"\xc0", b"\xaf"),
}
"""What no UTF-8 has, wherever it is cut (RFC 3629 §3)."""


@scenario(
    "Text that is not UTF-8, cut into fragments",
    documents=["RFC 6455 §8.1", "RFC 6455 §5.6", "RFC 6455 §5.4"],
    evidence_for=["6455-8.1-utf8", "6455-5.6-text-utf8", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_utf8_in_fragments(peer: Peer, server: Server) -> None:
    """A frame may cut a character in two; the whole message must be UTF-8. So the check goes on across fragments.

    A server may fail as soon as no further octet could mend the text, or when the message is whole.
    """
    site = server.websocket()
    for name, (first, *middle, last) in NOT_UTF8.items():
        ws = peer.another().websocket(site)
        ws.open()
        peer.say(name)
        further = [continuation(piece, fin=False) for piece in middle]
        ws.send(text(first, fin=False), *further, continuation(last))
        ws.expect_failed(1007)

    ws = peer.websocket(site)
    ws.open()
    ws.send(text(b"\xe2", fin=False), ping(b"in the middle of a character"))
    ws.expect(pong(b"in the middle of a character"))
    ws.send(continuation(b"\x82"))
    ws.expect_failed(1007)
