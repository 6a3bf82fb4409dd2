"""What RFC 6455 leaves to a server, as data: the alternatives that a report names when it sees one taken."""

from __future__ import annotations

from lab.tcp.profile import Choice

LEEWAY: dict[str, Choice] = {
    choice.id: choice
    for choice in (
        Choice(
            "ws-fails-without-close",
            "permitted",
            "The server fails the WebSocket connection by closing TCP, without a Close frame that says why.",
            "RFC 6455 §7.1.7",
            "RFC 6455 §7.1.7: an endpoint may omit the Close frame; §10.7: it should send one",
            ("6455-7.1.7-omit", "6455-7.1.7-close-frame", "6455-10.7-drop"),
        ),
        Choice(
            "ws-another-code",
            "permitted",
            "The server fails the WebSocket connection with another close code that fits as well.",
            "RFC 6455 §7.4.1",
            "RFC 6455 §7.4.1: the codes may be used, none must be",
            ("6455-7.4.1-codes",),
        ),
        Choice(
            "ws-close-code-not-echoed",
            "permitted",
            "The server answers a Close with another code than the one it was sent.",
            "RFC 6455 §5.5.1",
            "RFC 6455 §5.5.1: the answer typically echoes the code",
            ("6455-5.5.1-echo",),
        ),
        Choice(
            "ws-resets",
            "permitted",
            "The server ends the TCP connection with a RST, so that octets on their way may be lost.",
            "RFC 6455 §7.1.1",
            "RFC 6455 §7.1.1: a clean close is a SHOULD, and any means may be used when needed",
            ("6455-7.1.1-clean", "6455-7.1.1-any"),
        ),
        Choice(
            "ws-refuses-silently",
            "permitted",
            "The server closes TCP in the opening handshake without an HTTP status that says why.",
            "RFC 6455 §10.7",
            "RFC 6455 §10.7: it may drop the connection, and should send a status",
            ("6455-10.7-drop", "6455-10.7-http-status"),
        ),
        Choice(
            "ws-key-not-decoded",
            "permitted",
            "The server takes a Sec-WebSocket-Key that does not decode to 16 octets.",
            "RFC 6455 §4.2.2",
            "RFC 6455 §4.2.2 step 4 /key/: it is not necessary for the server to decode it",
            ("6455-4.2.1-key",),
        ),
        Choice(
            "ws-latest-pong",
            "permitted",
            "Of several Pings the server answers only the latest.",
            "RFC 6455 §5.5.3",
            "RFC 6455 §5.5.3: it may elect to send a Pong for the most recent Ping only",
            ("6455-5.5.3-latest",),
        ),
        Choice(
            "ws-lenient",
            "permitted",
            "The server takes a form that no rule makes it refuse.",
            "RFC 6455 §10.7",
            "RFC 6455 lays the rule on the sender and names no reaction of the receiver",
            (),
        ),
    )
}

FITTING: dict[int, tuple[int, ...]] = {
    1002: (1002, 1008),
    1003: (1003, 1002, 1008),
    1007: (1007, 1002, 1003, 1008),
    1009: (1009, 1008, 1002, 1011),
}
"""For the code that fits a failure best, all that fit it: their meanings cover it too (RFC 6455 §7.4.1)."""


def fits(code: int, best: int) -> bool:
    """Whether a Close with `code` tells the truth of a failure for which `best` is the best: an appropriate code is a
    SHOULD (RFC 6455 §7.1.7), and a code of the two ends' own, or one of the server's own trouble, says nothing false.
    """
    return code in FITTING.get(best, (best,)) or code in (1001, 1011, 1012, 1013) or 3000 <= code <= 4999
