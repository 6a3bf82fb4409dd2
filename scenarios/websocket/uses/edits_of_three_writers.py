from typing import Any

from lab.scenario import Peer, Server, scenario


@scenario(
    "The edits of three writers end in the same text",
    documents=["RFC 6455 §1.1", "RFC 6455 §5.1"],
    evidence_for=["6455-5.1-data-any-time", "6455-6.1-transmit", "6455-6.2-next", "6455-6.2-parse"],
    needs="services",
)
def edits_of_three_writers(peer: Peer, server: Server) -> None:
    """Three change the same text at once, none knowing of the others. The server puts the edits in one order and says
    where each belongs then; who does them in that order has the text that everybody has, and that a newcomer gets.
    """
    document = server.websocket(f"/edit/fox-{peer.port}")
    writers = [one.websocket(document) for one in (peer, peer.another(), peer.another())]
    for ws in writers:
        ws.open()
        ws.hear(type="document", revision=0, text="")
    writers[0].say(type="edit", base=0, at=0, delete=0, insert="The quick brown fox")
    for ws in writers:
        ws.hear(type="edit", revision=1, at=0, delete=0, insert="The quick brown fox")

    writers[0].say(type="edit", base=1, at=4, delete=6, insert="")
    writers[1].say(type="edit", base=1, at=10, delete=5, insert="red")
    writers[2].say(type="edit", base=1, at=19, delete=0, insert=" jumps")

    for ws in writers:
        text = "The quick brown fox"
        for revision in (2, 3, 4):
            text = _after(text, ws.hear(type="edit", revision=revision))
        peer.check(text == "The red fox jumps", "payload", "The red fox jumps", text, "every writer has the same text")
    late = peer.another().websocket(document)
    late.open()
    late.hear(type="document", revision=4, text="The red fox jumps")
    for ws in (*writers, late):
        ws.leave(pushed=True)


def _after(text: str, edit: dict[str, Any]) -> str:
    """The text when that edit has been done."""
    after: str = text[: edit["at"]] + edit["insert"] + text[edit["at"] + edit["delete"] :]
    return after
