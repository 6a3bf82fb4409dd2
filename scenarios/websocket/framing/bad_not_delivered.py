from lab.scenario import Peer, Server, scenario
from lab.websocket.frames import binary, continuation, text


@scenario(
    "The program hears nothing of a bad message",
    documents=["RFC 6455 §7.1.7", "RFC 6455 §5.1", "RFC 6455 §5.2", "RFC 6455 §8.1"],
    evidence_for=[
        "6455-5.1-unmasked-close", "6455-5.2-rsv-fail", "6455-5.4-interleave", "6455-8.1-utf8", "6455-7.1.7-stop",
    ],
    needs="services",
)  # fmt: skip
def bad_not_delivered(peer: Peer, server: Server) -> None:
    """The one good message before it was delivered. The bad one, and the good ones behind it, never reach the program.

    What it is told instead is that the connection is over.
    """
    site = server.websocket("/echo")
    for name, bad, code in (
        ("without a mask", [text("bad")], 1002),
        ("with a reserved bit", [text("bad", rsv=4).masked()], 1002),
        ("two messages mixed", [text("ba", fin=False).masked(), binary(b"d").masked()], 1002),
        ("not UTF-8", [text(b"bad \xff").masked()], 1007),
        ("not UTF-8, in fragments", [text(b"\xe2", fin=False).masked(), continuation(b"\x82").masked()], 1007),
    ):
        other = peer.another()
        ws = other.websocket(site)
        ws.open()
        ws.text("good")
        ws.expect_message("good")
        peer.say(name)
        ws.send(*bad, text("behind").masked(), masked=False)
        ws.expect_failed(code)
        server.is_told(other, messages=1)
