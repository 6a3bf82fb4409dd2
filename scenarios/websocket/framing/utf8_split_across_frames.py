from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import continuation, ping, text

WORDS = bytes.fromhex("ceba e1bdb9 cf83 cebc ceb5 20 f09d849e 7f efbfbf f48fbfbf")
"""κόσμε, a blank, U+1D11E, DEL, U+FFFF, U+10FFFF: characters of one to four octets, and the highest of all."""


@scenario(
    "A character may be cut between two frames",
    documents=["RFC 6455 §5.6", "RFC 6455 §8.1"],
    evidence_for=["6455-5.6-text-utf8", "6455-8.1-utf8", "6455-5.4-boundaries", "6455-6.2-type"],
    needs="echo",
)
def utf8_split_across_frames(peer: Peer, server: Server) -> None:
    """Not a frame but the whole message is UTF-8: it is cut behind each of its octets, then everywhere at once.

    A Ping in the middle of a character changes nothing.
    """
    ws = peer.websocket(server.websocket())
    ws.open()
    whole = WORDS.decode()
    for at in range(1, len(WORDS)):
        ws.send(text(WORDS[:at], fin=False), continuation(WORDS[at:]))
        ws.expect_message(whole)

    first, *middle, last = (WORDS[at : at + 1] for at in range(len(WORDS)))
    ws.send(text(first, fin=False), *(continuation(octet, fin=False) for octet in middle), continuation(last))
    ws.expect_message(whole)
    ws.send(text(b"\xf0\x9d", fin=False), ping(b"wait"), continuation(b"\x84\x9e"))
    ws.expect_message("\U0001d11e")
    ws.expect_nothing()
    ws.leave()
