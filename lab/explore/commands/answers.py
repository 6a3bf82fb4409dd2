"""What a WebSocket server's words answer, and its end: a sentence and its section for each kind, as data."""

from __future__ import annotations

from lab.explore.web import Web
from lab.report.text import Line, wrapped
from lab.websocket.dialogue import Dialogue, Seen
from lab.websocket.frames import Opcode, close_body, opcode_name

WORDS: dict[str, tuple[str, str]] = {
    "accepts": ("it accepts your request, and proves that it has read your key", "RFC 6455 §4.2.2"),
    "refuses": ("it refuses your request, with an HTTP status that says why", "RFC 6455 §4.2.1, §4.2.2"),
    "body": ("more of an answer that is no 101: there is no WebSocket here", "RFC 6455 §4.2.2"),
    "PONG": ("it answers your Ping, with the same octets", "RFC 6455 §5.5.3"),
    "unsolicited": ("it answers none of your Pings, and wants no answer", "RFC 6455 §5.5.3"),
    "PING": ("it wants a Pong with the same octets", "RFC 6455 §5.5.2"),
    "TEXT": ("a message of text in UTF-8, or its first fragment", "RFC 6455 §5.6, §6.1"),
    "BINARY": ("a message of any octets, or its first fragment", "RFC 6455 §5.6, §6.1"),
    "CONTINUATION": ("it goes on with the message that was begun", "RFC 6455 §5.4"),
    "CLOSE answers": ("it answers your Close: neither end has more to say", "RFC 6455 §5.5.1"),
    "CLOSE fails": ("it fails the connection", "RFC 6455 §7.1.7"),
    "CLOSE begins": ("the server closes first, and waits for your Close", "RFC 6455 §5.5.1"),
    "ends closed": ("both ends have sent a Close, so the server closes TCP, and does so first", "RFC 6455 §7.1.1"),
    "ends failed": ("it fails the connection, and so closes TCP", "RFC 6455 §7.1.7"),
    "ends refused": ("it has refused your request, and closes TCP", "RFC 6455 §4.2.1, §4.2.2"),
    "ends": ("it closes TCP, and with it the WebSocket connection", "RFC 6455 §7.1.4"),
}


def answers(web: Web | None, width: int) -> list[Line]:
    """What the server has said since we said something last, each with what it answers."""
    if web is None:
        return []
    dialogue = web.dialogue
    kinds = [(number, seen.text, _kind(dialogue, seen)) for number, seen in web.answers]
    if web.ended:
        kinds.append((web.ended, "FIN" if dialogue.server_ended == "fin" else "RST", _end(dialogue)))
    lines: list[Line] = []
    for number, text, kind in kinds:
        says, section = WORDS[kind]
        lines += wrapped(f"{text} (frame {number}): {says} ({section}).", width)
    if dialogue.broken is not None and any(kind.endswith(("fails", "failed")) for _, _, kind in kinds):
        broken = dialogue.broken
        lines += wrapped(f"What you sent broke a rule: {broken.why} ({broken.section})", width, style="warn")
    return lines


def _kind(dialogue: Dialogue, seen: Seen) -> str:
    if seen.response is not None:
        return "accepts" if seen.response.status == 101 else "refuses"
    if seen.frame is None:
        return "body"
    frame = seen.frame.frame
    if frame.opcode == Opcode.CLOSE:
        code, _ = close_body(frame.payload)
        if dialogue.broken is not None and (dialogue.broken.must_fail or code in dialogue.broken.codes):
            return "CLOSE fails"
        return "CLOSE answers" if dialogue.client_close is not None else "CLOSE begins"
    return "unsolicited" if seen.unsolicited else opcode_name(frame.opcode)


def _end(dialogue: Dialogue) -> str:
    if dialogue.broken is not None and dialogue.broken.must_fail:
        return "ends failed"
    if dialogue.client_close is not None and dialogue.server_close is not None:
        return "ends closed"
    return "ends refused" if dialogue.response is not None and dialogue.response.status != 101 else "ends"
