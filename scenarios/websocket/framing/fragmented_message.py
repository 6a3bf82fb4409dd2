from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "Fragments make one message",
    documents=["RFC 6455 §5.4"],
    evidence_for=[
        "6455-5.4-order",
        "6455-5.4-support-both",
        "6455-5.4-boundaries",
        "6455-5.4-type",
        "6455-6.1-fin",
        "6455-6.2-type",
        "6455-6.2-next",
    ],
    needs="echo",
)
def fragmented_message(peer: Peer, server: Server) -> None:
    """The first frame has the type and FIN 0, the others are continuations, the last one has FIN 1.

    What comes back is one message, with its parts in order and of the first frame's type; in how many frames is the
    server's choice. The fragments come together, then each in a segment of its own.
    """
    ws = peer.websocket(server.websocket())
    ws.open()

    ws.send(text("one, ", fin=False), continuation("two, ", fin=False), continuation("three"))
    ws.expect_message("one, two, three")

    ws.send(binary(b"\x00\xff", fin=False))
    ws.send(continuation(b"\x01\xfe", fin=False))
    ws.send(continuation(b"\x02\xfd", fin=False))
    ws.send(continuation(b"\x03\xfc"))
    ws.expect_message(b"\x00\xff\x01\xfe\x02\xfd\x03\xfc")

    letters = "abcdefghijklmnopqrstuvwxyz"
    ws.send(text("", fin=False), *(continuation(letter, fin=False) for letter in letters), continuation())
    ws.expect_message(letters)
    ws.text("in one piece")
    ws.expect_message("in one piece")
    ws.expect_nothing()
    ws.leave()
