"""What a person may type in place of what a lesson asks for: for each mistake that has a text, a line that makes it."""

from __future__ import annotations

MISTAKES: dict[str, dict[str, dict[str, str]]] = {
    "three-way": {
        "syn": {
            "text": 'send TCP(flags="S")/b"hi"',
            "ack": 'send TCP(flags="A", seq=x+1, ack=1)',
            "synack": 'send TCP(flags="SA", ack=1)',
            "synfin": 'send TCP(flags="SF")',
        },
        "number": {"y": "answer y", "x": "answer x+1"},
        "ack": {
            "low": 'send TCP(flags="A", ack=y)',
            "high": 'send TCP(flags="A", ack=y+2)',
            "seq": 'send TCP(flags="A", seq=x)',
            "beyond": 'send TCP(flags="A", seq=x+100, ack=y+1)',
            "text": 'data "hello"',
            "syn": "syn",
            "other": 'send TCP(flags="S", seq=x+7)',
            "rst": "rst",
            "fin": "fin",
        },
        "none": {"two": "answer x+2"},
        "riding": {"bare": "ack", "gap": 'send TCP(flags="PA", seq=x+50)/b"hello"'},
    },
    "why-not-two": {
        "old": {"own": "syn"},
        "refuse": {
            "ack": 'send TCP(flags="A", seq=x-9, ack=y+1)',
            "syn": "syn",
            "number": 'send TCP(flags="R", seq=x)',
        },
        "state": {"closed": "answer closed", "received": "answer SYN_RCVD"},
        "ack": {"rst": "rst", "low": 'send TCP(flags="A", ack=y)'},
    },
    "four-way": {
        "fin": {
            "bare": 'send TCP(flags="F")',
            "rst": "rst",
            "beyond": 'send TCP(flags="FA", seq=x+3)',
            "server": "server close",
        },
        "one": {"none": "answer none"},
        "close": {"send": 'server send "more"', "rst": "rst"},
        "last": {"low": 'send TCP(flags="A", ack=y+1)', "rst": "rst"},
        "waits": {"server": "answer server"},
        "first": {"fin": "fin", "abort": "server abort"},
        "ack": {"fin": "fin", "low": 'send TCP(flags="A", ack=y+1)', "rst": "rst"},
        "second": {"text": 'data "more"', "rst": "rst"},
        "other": {"lab": "answer lab"},
    },
    "why-not-three": {
        "fin": {"server": "server close"},
        "more": {"close": "server close"},
        "ack": {"low": 'send TCP(flags="A", ack=y+1)', "text": 'send TCP(flags="PA")/b"more"'},
        "four": {"all": "answer 6"},
        "both": {"ack": "ack", "text": 'data "more"'},
    },
    "half-close": {
        "end": {"close": "server close"},
        "say": {"close": "server close", "text": 'send TCP(flags="PA")/b"more"'},
        "shutdown": {"close": "server close", "fin": "fin"},
        "taken": {"fin": "fin"},
        "text": {"fin": "fin"},
    },
    "websocket": {
        "upgrade": {"text": 'data "hello"'},
        "status": {"ok": "answer 200"},
        "text": {"unmasked": 'ws text "hello" unmasked', "close": "ws close", "fin": "fin"},
        "mask": {"server": "answer server"},
        "ping": {"pong": "ws pong", "close": "ws close"},
        "close": {"fin": "fin", "rst": "rst"},
        "first": {"lab": "answer lab"},
        "ticker": {"other": "ws open /echo"},
    },
    "layers": {
        "mac": {"physical": "answer physical", "network": "answer 3"},
        "header": {"twenty": "answer 20", "words": "answer 6"},
        "four": {"transport": "answer transport"},
    },
}
"""By lesson and step: the id of the text, and what is typed."""
