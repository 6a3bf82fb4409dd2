"""Every command of a session as data: what is typed, what it does, where it is done."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from lab.explore.commands import keep, led, looks, network, program, segments, ws
from lab.explore.commands.looks import Page
from lab.explore.errors import CommandError, Quit
from lab.explore.session import Session
from lab.report.text import Line

Act = Callable[[Session, str], None]
"""Does something to the connection, and is a step."""
Look = Callable[[Page, str], list[Line]]
"""Shows something, and changes nothing on the wire."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    usage: str
    """What stands behind the name, "" for nothing."""
    says: str
    """What it does, in a line."""
    act: Act | None = None
    look: Look | None = None
    examples: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """What may stand behind it, for completion."""
    more: str = ""
    """A paragraph for `help NAME`."""
    quiet: bool = False
    """Whether it provokes nothing, so that there is no step to show."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that belong together."""

    title: str
    commands: tuple[Command, ...]


_FRAME_WORDS = (
    "Behind the octets: `more` leaves FIN out (a fragment follows), `unmasked` leaves the mask out, `rsv1` to `rsv3` "
    "set a reserved bit; the last two are wrong, and the server has to say so."
)
_OCTETS = 'Octets in quotes as Python writes them ("hé", b"\\x00\\xff", "a" * 1000), or words without quotes.'
_LAYERS = (
    "Layers: Ether, Dot1Q, ARP, IP, IPv6, TCP, UDP, ICMP, Raw, Padding, ICMPv6…, IPv6ExtHdr…, what ICMP errors quote "
    '(IPerror, TCPerror), and options (IPOption_…, or TCP(options=[("MSS", 536)])). Signs: / sets one layer upon '
    'another, or data upon a layer; + - * // % << >> & | ^ ~ reckon; "a" * 100 repeats.'
)
_NAMES = (
    "x, y: the first number of our end and of the server's; snd_una, snd_nxt, snd_wnd, rcv_nxt, rcv_wnd: our end's "
    "variables (RFC 9293 §3.3.1); iss, irs, mss, sport, dport. Numbers wrap at 2**32."
)


def _quit(session: Session, rest: str) -> None:
    raise Quit


LESSON = "In a lesson"
"""The group of commands that mean something only where a lesson is under way."""

GROUPS: tuple[Group, ...] = (
    Group(
        "Your segments",
        (
            Command("syn", "", "SYN, seq=x: open", segments.syn),
            Command("synack", "", "SYN+ACK: answer the server's SYN", segments.synack),
            Command("ack", "", "a bare ACK of all that has come", segments.ack),
            Command(
                "data", '"TEXT"', "text, with PSH and ACK", segments.data, examples=('data "hello"',), more=_OCTETS
            ),
            Command("fin", "", "FIN+ACK: nothing more to say", segments.fin),
            Command("rst", "", "RST: give the connection up", segments.rst),
            Command(
                "send",
                "PACKET",
                "any packet, right or wrong, as Scapy writes it",
                segments.send,
                examples=('send TCP(flags="SF", seq=x+7)/b"!"', 'send IP(ttl=1)/TCP(flags="A", window=0)'),
                words=("TCP(", "IP(", "IPv6("),
                more=f"Fields that are set go out as they are; the others are filled in. {_LAYERS} {_NAMES}",
            ),
            Command(
                "replay",
                "PACKET",
                "the network delivers an old duplicate: our end knows nothing of it",
                segments.replay,
                examples=('replay TCP(flags="S", seq=x-10)',),
                words=("TCP(",),
                more="RFC 9293 §3.5 figure 8: why two segments are not enough.",
            ),
            Command(
                "repeat",
                "last|NUMBER",
                "the same segment again: our last one, or that frame",
                segments.repeat,
                words=("last",),
            ),
        ),
    ),
    Group(
        "WebSocket",
        (
            Command(
                "ws open",
                "[PATH]",
                "the opening handshake (and TCP's, where it is missing)",
                ws.open_,
                examples=("ws open", "ws open /chat/tea?name=anna"),
                words=("/echo", "/chat/tea?name=anna", "/ticker", "/score", "/map"),
                more="The paths are those of `lab serve --help`; at a target, its own.",
            ),
            Command("ws text", '"TEXT"', "a text message", ws.text_, examples=('ws text "hello"',), more=_FRAME_WORDS),
            Command(
                "ws binary",
                'b"OCTETS"',
                "a binary message",
                ws.binary,
                examples=(r'ws binary b"\x00\xff"',),
                more=_FRAME_WORDS,
            ),
            Command("ws continuation", '"TEXT"', "the next fragment", ws.continuation, more=_FRAME_WORDS),
            Command("ws ping", '["TEXT"]', "a Ping: the Pong must carry the same", ws.ping, more=_FRAME_WORDS),
            Command("ws pong", '["TEXT"]', "a Pong", ws.pong, more=_FRAME_WORDS),
            Command(
                "ws close", "[CODE [REASON]]", "a Close", ws.close, examples=('ws close 1000 "bye"',), words=("1000",)
            ),
        ),
    ),
    Group(
        "The server's program",
        (
            Command("server listen", "", "listen()", program.listen),
            Command("server stop", "", "close() of the listener", program.stop),
            Command("server accept", "", "accept(): take the next connection that stands", program.accept),
            Command(
                "server connect", "", "connect(): its kernel calls you; answer with `synack` or `rst`", program.connect
            ),
            Command("server send", '"TEXT"', "send()", program.send, examples=('server send "hi"',), more=_OCTETS),
            Command("server recv", "", "recv(): what it reads must be what was sent", program.recv),
            Command(
                "server shutdown", "", "shutdown(SHUT_WR): nothing more to send, reading goes on", program.shutdown
            ),
            Command("server close", "", "close()", program.close),
            Command("server abort", "", "a reset", program.abort),
        ),
    ),
    Group(
        "The network, and time",
        (
            Command(
                "lose next",
                "",
                "our next segment never arrives",
                network.lose,
                quiet=True,
                more="Our end believes that it was sent, and its numbers count on; the server hears nothing. "
                "`repeat last` sends it again, as a timer would.",
            ),
            Command(
                "delay next",
                "",
                "our next segment arrives behind the one after it",
                network.delay,
                quiet=True,
                more="It stays on the way until another segment of ours has been sent, on whichever connection;"
                " one that none follows never arrives.",
            ),
            Command(
                "wait",
                "[SECONDS]",
                "let time pass, or until the server says something; Ctrl-C ends it",
                network.wait,
                examples=("wait", "wait 1.5"),
            ),
            Command(
                "auto",
                "on|off",
                "let the model answer for you: what your end owes",
                network.auto,
                words=("on", "off"),
                more="It sends what RFC 9293 asks of your end for what has arrived: ACKs, a SYN+ACK for a SYN, "
                "a RST for "
                "what belongs to no connection. It opens and closes nothing, and repeats nothing.",
            ),
        ),
    ),
    Group(
        "Connections",
        (
            Command(
                "new",
                "[closed|ws]",
                "another connection: to the same port, a closed one, the WebSocket service",
                network.new,
                words=("closed", "ws"),
                quiet=True,
            ),
            Command("switch", "NAME", "take another connection in hand", network.switch, examples=("switch B",)),
            Command(
                "states",
                "",
                "where every connection stands",
                look=looks.states,
                more="The port of our end, both ends' states by the model, and what the server's kernel says "
                "when it is asked now.",
            ),
        ),
    ),
    Group(
        "Looking",
        (
            Command(
                "why",
                "",
                "the rule behind the server's last reaction",
                look=looks.why,
                more="The model's own sentence with its section, requirements of that section that speak of the"
                " same thing, a choice of the stack where it made one, and what your end owes.",
            ),
            Command(
                "legal",
                "",
                "all that may come next, and every way it may be answered",
                look=looks.legal,
                more="RFC 9293 leaves stacks some choices, and some stacks have habits: `or` begins another way"
                " in which a server that is still possible may answer. What is not legal stands there as "
                "you would type it.",
            ),
            Command(
                "predict",
                "SEGMENT",
                "what would come back, without sending",
                look=looks.predict_,
                examples=("predict fin", 'predict TCP(flags="S", seq=x+7)'),
                words=("syn", "ack", "data", "fin", "rst", "repeat", "TCP("),
                more="Each way in which a server that is still possible may answer, and who would answer so: "
                "rfc9293 is "
                "the document's plain text, mitigated what RFC 5961 permits, linux that kernel as it is set here (and "
                "an earlier one), frugal a stack that says as little as it may. What came back so far has ruled out "
                "the others.",
            ),
            Command("layers", "[NUMBER]", "the last packet, or that one, by its layers", look=looks.layers),
            Command(
                "diagram",
                "",
                "RFC 9293's state machine, and the way walked so far",
                look=looks.diagram,
                more="Figure 5 of RFC 9293: heavy where you and the server have walked, with an arrowhead where"
                " each end is now; below it what led from state to state.",
            ),
            Command("ladder", "", "the whole ladder so far", look=looks.ladder),
            Command("history", "", "the commands so far", look=looks.history),
        ),
    ),
    Group(
        LESSON,
        (
            Command("hint", "", "a hint; the last one says what to type", look=led.hint),
            Command("answer", "WORD", "answer a question", look=led.answer, examples=("answer 20", "answer y+1")),
            Command("where", "", "where both ends stand, and what is asked", look=led.where),
            Command("again", "", "begin this part once more, on a new connection", look=led.again),
        ),
    ),
    Group(
        "The session",
        (
            Command(
                "save",
                "FILE.py",
                "what was done, as a scenario for `lab run`",
                look=keep.save,
                more="The same segments and calls, and what came back as expectations. It goes on from there as "
                "often as "
                "you like; a file that no session has saved is not replaced.",
            ),
            Command("pcap", "FILE.pcapng", "every packet, for Wireshark", look=keep.pcap),
            Command(
                "restart",
                "",
                "begin anew, on new ground",
                more="The session so far gets its verdict and its capture; the next one has a server of its "
                "own, and the history stays.",
            ),
            Command("help", "[COMMAND]", "this list, or one command"),
            Command("quit", "", "end the session; so does Ctrl-D", _quit),
        ),
    ),
)
"""In the order in which `help` shows them."""

LED: tuple[Command, ...] = next(group.commands for group in GROUPS if group.title == LESSON)
"""Commands that a lesson answers."""

COMMANDS: dict[str, Command] = {command.name: command for group in GROUPS for command in group.commands}

_ALIASES = {"exit": "quit", "bye": "quit", "q": "quit", "?": "help"}
"""What every other prompt takes as well."""

_MEANT = {
    "accept": "server accept",
    "listen": "server listen",
    "connect": "server connect",
    "recv": "server recv",
    "shutdown": "server shutdown",
    "close": "fin",
    "abort": "rst",
    "open": "syn",
    "syn+ack": "synack",
    "syn-ack": "synack",
    "reset": "rst",
    "ping": "ws ping",
    "text": "ws text",
    "undo": "new",
    "state": "states",
    "next": "legal",
}
"""What people type, and what they mean."""


def find(line: str) -> tuple[Command, str]:
    """The command that a line begins with, and what stands behind it. Raises CommandError, with a suggestion."""
    words = line.split(None, 2)
    first = words[0].lower()
    if len(words) == 1 and first in _ALIASES:
        return COMMANDS[_ALIASES[first]], ""
    for count in (2, 1):
        name = " ".join(words[:count]).lower()
        if name in COMMANDS and len(words) >= count:
            return COMMANDS[name], line.split(None, count)[count] if len(words) > count else ""
    family = [name for name in COMMANDS if name.startswith(first + " ")]
    if family:
        wrong = words[1] if len(words) > 1 else ""
        names = ", ".join(family)
        close = difflib.get_close_matches(f"{first} {wrong.lower()}", family, n=1, cutoff=0.6)
        if wrong and close:
            raise CommandError(f"there is no `{first} {wrong}`", f"did you mean `{close[0]}`?")
        if len(family) == 1 and not wrong:
            return COMMANDS[family[0]], ""
        raise CommandError(f"`{first}` alone does nothing" if not wrong else f"there is no `{first} {wrong}`", names)
    if first in _MEANT:
        raise CommandError(f"there is no command {words[0]}", f"did you mean `{_MEANT[first]}`?")
    close = difflib.get_close_matches(first, [*COMMANDS, *{name.split()[0] for name in COMMANDS}], n=1, cutoff=0.6)
    hint = f"did you mean `{close[0]}`?" if close else "`help` lists them"
    raise CommandError(f"there is no command {words[0]}", hint)
