from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import text

NOT_UTF8 = {
    "an octet that never occurs": b"\xff",
    "a further octet without a first": b"\x80",
    "a first octet without a further one": b"\xc3(",
    "a slash in two octets": b"\xc0\xaf",
    "a slash in three": b"\xe0\x80\xaf",
    "a slash in four": b"\xf0\x80\x80\xaf",
    "the last that fits into two octets, in three": b"\xe0\x9f\xbf",
    "the first surrogate": b"\xed\xa0\x80",
    "the last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "U+110000": b"\xf4\x90\x80\x80",
    "a first octet of five": b"\xf8\x88\x80\x80\x80",
    "a character that the end cuts off": b"\xe2\x82",
}
"""What no UTF-8 has (RFC 3629 §3)."""


@scenario(
    "Text that is not UTF-8",
    documents=["RFC 6455 §8.1", "RFC 6455 §5.6", "RFC 3629 §3"],
    evidence_for=["6455-8.1-utf8", "6455-5.6-text-utf8", "6455-7.1.7-server", "6455-7.1.7-close-frame"],
    needs="websocket",
)
def bad_utf8(peer: Peer, server: Server) -> None:
    """Overlong forms, surrogates, numbers above U+10FFFF, a character cut off by the end: each fails with 1007.

    What checks one form only would let the others carry a character past it: a slash in two octets is the old trick.
    """
    site = server.websocket()
    for name, octets in NOT_UTF8.items():
        ws = peer.another().websocket(site)
        ws.open()
        peer.say(name)
        ws.send(text("good to here: κόσμε ".encode() + octets))
        ws.expect_failed(1007)

    ws = peer.websocket(site)
    ws.open()
    ws.leave()
