"""What was done, written as a scenario: the same segments and calls, and the answers that were seen as expectations."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.explore.expression.spelling import quoted as literal
from lab.explore.script.layout import laid_out
from lab.explore.script.numbers import Firsts, counted, counts_ours, counts_theirs, fields_of, with_fields, words_in
from lab.scenario.record import Packet
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Flags, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.world import INCIDENTAL
from lab.wire.codec import TcpFrame, decode

if TYPE_CHECKING:
    from lab.explore.play import Play
    from lab.explore.session import Session, Step

_INDENT = " " * 4
_USUAL_WINDOW = 65535
STAMPS = "timestamps echo the server's of this very run (RFC 7323 §3.2), and it may drop what echoes others"
SAVED = "Played with `lab explore`: what is expected is what was seen then."
"""By which a file that a session has written is known."""
LONG = 80
"""Octets from which on a literal is written in short where it can be."""
LEAST_MSS = 536
"""Octets of a segment to whoever names no size, over IPv4; it is 1220 over IPv6 (RFC 9293 §3.7.1)."""
FIRST_FLIGHT = 10 * LEAST_MSS
"""Octets that a server sends before it hears an ACK, at most, in such segments (RFC 6928 §2)."""

_COUNTS = frozenset(("snd_wnd", "rcv_wnd", "mss", "port"))
"""Names of numbers that are no sequence numbers."""
_OF_A_FAMILY = re.compile(r"\b(IP|IPv6\w*|ICMP\w*|IPerror6?|ARP|Ether)\(")
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_DATE = re.compile(rb"HTTP/1\.\d (?:[^\r]|\r\n(?!\r\n))*?\r\nDate: *([^\r\n]+)\r\n", re.IGNORECASE)
"""An answer's head up to the moment at which it was made (RFC 9110 §6.6.1)."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a connection's things are called in the script."""

    peer: str
    x: str
    y: str
    socket: str


class Scribe:
    """Writes down what a session does while it does it, so that numbers can be said as they were meant."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._body: list[str] = []
        self._read = 0
        """How much of the record has been turned into expectations."""
        self._stood: dict[str, State] = {}
        self._needs = "agent"
        self._rules: dict[str, None] = {}
        self._firsts: dict[str, Firsts] = {}
        """Of each connection that was introduced, the first numbers of its lives."""
        self._code: dict[str, str] = {}
        """How the last segment of each connection was written."""
        self.doubts: dict[str, None] = {}
        """What will not be the same when the scenario is played, a sentence each."""
        self._kept = 0
        """How many numbers were given a name, in case that they are asked for later."""
        self._imports: dict[str, str] = {}
        """The modules of names that the code may need."""
        self._last: Packet | None = None
        """The segment of the last expectation, which is"""
        self._said = ""
        self._data = b""
        """and what it and those before it carried."""
        self._sent: Play | None = None
        """On which connection something was sent last, in this step."""
        self._site = ""
        """The resource that `site` is in the script."""
        self._cut = False
        """Whether what came was a matter of the sizes that segments and windows have over this family."""
        self._called = 0
        """How many lines there were with the last call."""

    # What is done

    def listens(self) -> None:
        """The program listens."""
        self._add("listener = server.listen()")

    def calls(self, code: str) -> None:
        """A line of the script that is about the server's program."""
        self._add(code)
        self._called = len(self._body)

    def withdraws(self) -> None:
        """The call that was written last has failed: it was not made."""
        if self._called and self._called == len(self._body):
            self._body.pop()
        self._called = 0

    def turns(self, play: Play, code: str) -> None:
        """The connection leads elsewhere: `code` is what `peer.towards` is given."""
        names = self.names(play)
        if play.name == "A" or play.name in self._firsts:
            self._add(f"{names.peer}.towards({code})")
        else:
            self._add(f"{names.peer} = peer.another().towards({code})")
        self._introduces(play)

    def withdraws_packet(self) -> None:
        """The segment that was written last could not be sent."""
        self._body.pop()
        self._sent = None

    def visits(self, path: str) -> None:
        """That resource of the WebSocket server is talked to from now on."""
        if self._site != path:
            self._add(f"site = {'site.at' if self._site else 'server.websocket'}({quoted(path)})")
        self._needs, self._site = "services", path

    def sends(self, play: Play, code: str, *, ours: bool, lost: bool) -> None:
        """A segment goes out, written as `code`."""
        self.meets(play)
        verb = "send" if ours else "replay"
        self._add(f"{self.names(play).peer}.{verb}({code}{', lost=True' * lost})")
        self._code[play.name] = code
        self._sent = None if lost else play

    def begins_anew(self, play: Play, later: int) -> None:
        """Our end forgets the connection, and takes another first number, so much later than the last."""
        self.meets(play)
        self.catches_up()
        last = self.names(play).x
        play.peer.anew(play.connection.peer_isn + later)
        play.connection.conversation.peer_isn = None  # nothing is counted from the old life's number any more
        name = self._firsts[play.name].begins(self._tailed("x", play), play.connection.iss)
        self._add(f"{name} = {self.names(play).peer}.anew({last} + {later:_})")

    def waits(self, seconds: float) -> None:
        """Time passes."""
        self._add(f"peer.wait({seconds:g})")

    def waited(self, seconds: float) -> None:
        """It did not take as long as was meant."""
        if self._body and self._body[-1].startswith("peer.wait("):
            self._body[-1] = f"peer.wait({seconds:.2g})"

    def uses(self, module: str, name: str) -> None:
        """A name that code may need, and the module that has it."""
        self._imports[name] = module

    def meets(self, play: Play) -> None:
        """Introduce the connection, where that is not done yet."""
        if play.name in self._firsts:
            return
        names = self.names(play)
        if play.name != "A":
            first = self.session.plays["A"].connection.server_port
            where = "" if play.connection.server_port in (first, None) else "towards=listener.port"
            self._add(f"{names.peer} = peer.another({where})")
        self._introduces(play)

    def _introduces(self, play: Play) -> None:
        if play.name not in self._firsts:
            self._firsts[play.name] = Firsts()
            name = self._firsts[play.name].begins(self._tailed("x", play), play.connection.iss)
            self._add(f"{name} = {self._tailed('peer', play)}.iss")

    def _placed(self, line: str) -> str:
        """Where a number of ours was typed in figures, our first one is the session's own in each run: else it might be
        one that the window has just reached, or not.
        """
        for name, firsts in self._firsts.items():
            play = self.session.plays[name]
            x, peer = self._tailed("x", play), self._tailed("peer", play)
            if firsts.placed and line == f"{x} = {peer}.iss":
                return f"{x} = {peer}.anew(Seq({firsts.ours[x]:_}))"
        return line

    def notes(self, step: Step) -> None:
        """The end of a step: what was seen in it."""
        self.catches_up()
        heard = any(isinstance(e, Packet) and e.sender == "server" for e in step.entries)
        sent, self._sent = self._sent, None
        if sent is not None and not heard and not step.problems and sent.told and step.line:
            self._add(f"{self.names(sent).peer}.expect_silence()")
        for one in self.session.plays.values():
            state = one.connection.kernel_state
            if state is None or not one.told or one.fresh or self._stood.get(one.name, State.LISTEN) is state:
                continue
            if state is State.CLOSED and self._stood.get(one.name) is None:
                continue
            self._stood[one.name] = state
            which = "" if one.name == "A" else f", {self.names(one).peer}"
            self._add(f"server.is_in(State.{state.name}{which})")

    # Words

    def names(self, play: Play) -> Names:
        """A's are those of the figures; another connection's bear its letter, a later life's numbers its number."""
        firsts = self._firsts.get(play.name, Firsts())
        x = next(reversed(firsts.ours), self._tailed("x", play))
        y = next(reversed(firsts.theirs), self._tailed("y", play))
        return Names(self._tailed("peer", play), x, y, self._tailed("connection", play))

    @staticmethod
    def _tailed(name: str, play: Play) -> str:
        return name if play.name == "A" else f"{name}_{play.name.lower()}"

    def packet(self, play: Play, frame: bytes) -> str:
        """A segment of ours in a script's words: `TCP(flags="A", seq=x + 1, ack=y + 1)`."""
        self.meets(play)
        self.catches_up()
        read = decode(frame)
        assert isinstance(read, TcpFrame), "the lab's own commands make segments"
        return self.written(play, read.segment)

    def written(self, play: Play, segment: Segment) -> str:
        """The same of a segment."""
        firsts = self._firsts_of(play)
        fields = [f'flags="{letters(segment.flags)}"']
        # How long a request is depends on the server's address: where a service is spoken to, what is usual stays out.
        usual = play.web is not None and SYN not in segment.flags
        if not (usual and segment.seq == play.peer.snd_nxt):
            fields.append(f"seq={firsts.written(segment.seq, our=True)}")
        if ACK in segment.flags and not (usual and segment.ack == play.peer.rcv_nxt):
            fields.append(f"ack={firsts.written(segment.ack, our=False)}")
        if segment.window != _USUAL_WINDOW:
            fields.append(f"window={segment.window}")
        if segment.timestamps is not None and SYN not in segment.flags:
            self.doubts[STAMPS] = None
        if segment.options:
            fields.append(f"options={quoted(segment.options)}")
        return f"TCP({', '.join(fields)})" + (f" / {quoted(segment.payload)}" if segment.payload else "")

    def later(self, play: Play, frame: bytes, code: str) -> str:
        """The packet that `code` describes now, written so that it is the same one at any later time.

        What `code` leaves out is filled in from where the connection stands when it is sent.
        """
        read, fields = decode(frame), fields_of(code)
        if not isinstance(read, TcpFrame) or fields is None:
            return code
        peer, firsts, segment = self.names(play).peer, self._firsts_of(play), read.segment
        fixed: dict[str, str] = {}
        for name, value, stands, our in (
            ("seq", segment.seq, play.peer.snd_nxt, True),
            ("ack", segment.ack, play.peer.rcv_nxt, False),
        ):
            moving = f"{peer}.snd_nxt" if our else f"{peer}.rcv_nxt"
            if name in fields and moving not in ast.unparse(fields[name]):
                continue
            if not our and ACK not in segment.flags and name not in fields:
                continue
            if play.web is None or SYN in segment.flags:
                fixed[name] = firsts.written(value, our=our)
                continue
            # How many octets have gone before it depends on the server's address, which the request bears.
            self._kept += 1
            kept = f"{name}_{self._kept}"
            self._add(f"{kept} = {moving}")
            fixed[name] = counted(kept, Seq(value).ahead_of(stands))
        return with_fields(code, fixed)

    def meant(self, play: Play, frame: bytes, code: str) -> str:
        """The packet that `code` describes, its numbers written so that they mean the same in any run."""
        read, fields = decode(frame), fields_of(code)
        if not isinstance(read, TcpFrame) or fields is None:
            return code
        firsts, fixed = self._firsts_of(play), dict[str, str]()
        known = {*firsts.ours, *firsts.theirs, "snd_nxt"}
        if play.connection.conversation.peer.irs is not None:
            known.add("rcv_nxt")  # 0 until then, so that what is counted from it is a number in figures
        for name, value, our in (("seq", read.segment.seq, True), ("ack", read.segment.ack, False)):
            words = words_in(fields[name]) if name in fields else known
            if not words & known:
                firsts.figures.add(value)
                firsts.placed = firsts.placed or our
            if words & _COUNTS:  # they are others over the other family, or in each run
                fixed[name] = firsts.written(value, our=our)
                self._cut = self._cut or "port" not in words
            elif our and words & firsts.ours.keys() and not words & {"snd_nxt", "rcv_nxt"}:
                fixed |= self._behind_request(play, value)
        return with_fields(code, fixed) if fixed else code

    def _behind_request(self, play: Play, seq: Seq) -> dict[str, str]:
        """How long a request is depends on the server's address: what is numbered behind it follows it."""
        far, near = seq.ahead_of(play.connection.peer_isn + 1), seq.ahead_of(play.peer.snd_nxt)
        follows = play.web is not None and far > 0 and abs(near) < far
        return {"seq": counted(f"{self.names(play).peer}.snd_nxt", near)} if follows else {}

    def _firsts_of(self, play: Play) -> Firsts:
        return self._firsts.get(play.name) or Firsts({self._tailed("x", play): play.connection.iss})

    # Expectations

    def _add(self, line: str) -> None:
        self.catches_up()
        self._body.append(line)

    def _follow_firsts(self) -> None:
        """A SYN of ours with another number than its end's first one: that is counted from now on."""
        for name, firsts in self._firsts.items():
            play = self.session.plays[name]
            isn = play.connection.conversation.peer_isn
            if isn is None or isn == next(reversed(firsts.ours.values())):
                continue
            if known := next((word for word, value in firsts.ours.items() if value == isn), ""):
                firsts.ours[known] = firsts.ours.pop(known)
                continue
            written = firsts.written(isn, our=True)
            self._body.append(f"{firsts.begins(self._tailed('x', play), isn)} = {written}")

    def catches_up(self) -> None:
        """Write down what came since the last line was written."""
        self._follow_firsts()
        self._cut = self._cut or any(_waits_for_an_ack(play) for play in self.session.plays.values())
        entries, self._read = self.session.bench.timeline[self._read :], len(self.session.bench.timeline)
        if self.session.over:
            return  # what a kernel sends whose program is gone is not to be expected the next time
        seen = [e for e in entries if isinstance(e, Packet) and e.sender == "server" and e.segment is not None]
        for packet in seen:
            play = self.session.plays.get(packet.connection)
            if play is None or packet.segment is None or packet.note in INCIDENTAL:  # `expect` passes over it by itself
                continue
            if packet.rule:
                self._rules[packet.rule] = None
            if not play.told and packet.segment.flags & ~PSH == ACK and not packet.segment.payload:
                continue  # whether the ACK comes alone or with what follows is the kernel's and the moment's affair
            if self._goes_on(packet):
                continue
            self._body.append(self._expectation(play, packet, packet.segment))
            self._last = packet

    def _goes_on(self, packet: Packet) -> bool:
        """Whether it carries on the data before it: how they are cut depends on the segment size of the family."""
        last, segment = self._last, packet.segment
        if last is None or last.segment is None or segment is None or not self._body:
            return False
        in_row = last.connection == packet.connection and last.segment.end == segment.seq
        plain = not (segment.flags | last.segment.flags) & (SYN | FIN | RST)
        if not (in_row and plain and segment.payload and last.segment.payload and self._body[-1] == self._said):
            return False
        self._data += segment.payload
        play = self.session.plays[packet.connection]
        self._said = self._expects_data(play)
        self._body[-1], self._last = self._said, packet
        return True

    def _expects_data(self, play: Play) -> str:
        """What came, but for a date in it: that is the moment's."""
        said, head = argument(self._data), _DATE.match(self._data)
        if head is not None and not play.told:
            start, end = head.span(1)
            said = f"{argument(self._data[:start])}, {end - start}, {argument(self._data[end:])}"
        return f"{self.names(play).peer}.expect_data({said})"

    def _expectation(self, play: Play, packet: Packet, segment: Segment) -> str:
        self._data = segment.payload
        self._said = said = self._written_expectation(play, packet, segment)
        return said

    def _written_expectation(self, play: Play, packet: Packet, segment: Segment) -> str:
        names, firsts = self.names(play), self._firsts_of(play)
        if not play.told and segment.payload:
            return self._expects_data(play)
        if len(segment.payload) > LEAST_MSS and not segment.flags & (SYN | FIN | RST):
            return self._expects_data(play)  # in one segment over the one family, and in two over the other
        shown = segment.flags & ~(PSH | Flags.ECE | Flags.CWR)
        fields = [f'flags="{letters(Flags(shown))}"']
        begins = SYN in segment.flags
        if not begins and play.web is None:
            none = RST in segment.flags and segment.seq == 0  # to what acknowledges nothing
            # A RST takes its number from our ACK field (RFC 9293 §3.10.7.1), whatever that was counted from.
            ours = RST in segment.flags and counts_ours(self._code.get(play.name, "0"), "ack", firsts)
            fields.append(f"seq={0 if none else firsts.written(segment.seq, our=ours)}")
        if ACK in segment.flags and (play.web is None or begins):
            theirs = RST in segment.flags and counts_theirs(self._code.get(play.name, "0"), "seq", firsts)
            fields.append(f"ack={firsts.written(segment.ack, our=not theirs)}")
        code = f"TCP({', '.join(fields)})" + (f" / {quoted(segment.payload)}" if segment.payload else "")
        said = f"{names.peer}.expect({code})"
        return f"{firsts.answers(self._tailed('y', play), segment.seq)} = {said}.seq" if begins else said

    @property
    def family(self) -> str:
        """The option of `lab run` for a session that goes otherwise over the other address family; "" for others."""
        bound = self._cut or any(_OF_A_FAMILY.search(line) for line in self._body)
        return f"--{self.session.family}" if bound else ""

    # The file

    def script(self, path: Path) -> str:
        """The whole scenario, formatted like those in `scenarios/`."""
        body = list(map(self._placed, _used(self._body)))
        asked = set().union(*map(_names_in, body))
        modules = {**self._imports, "TCP": "scapy.layers.inet", **dict.fromkeys(("Seq", "State"), "lab.scenario")}
        modules = {name: module for name, module in modules.items() if name in asked}
        name = _function(path, {*modules, "scenario"})
        modules |= dict.fromkeys(("Peer", "Server", "scenario"), "lab.scenario")
        scapy = [one for one in modules if modules[one].startswith("scapy")]
        lines = [*_imported(modules, scapy), *[""] * bool(scapy)]
        lines += _imported(modules, modules.keys() - set(scapy))
        title = f"Played by hand: {self._in_short()}"
        lines += ["", "", "@scenario(", f"{_INDENT}{quoted(title)},", f"{_INDENT}documents=["]
        lines += [f"{_INDENT * 2}{quoted(rule)}," for rule in self._rules or {"RFC 9293 §3.10": None}]
        lines += [f"{_INDENT}],"]
        if self._needs != "agent":
            lines.append(f'{_INDENT}needs="{self._needs}",')
        lines += [")", f"def {name}(peer: Peer, server: Server) -> None:"]
        lines += self._told()
        for line in body:
            lines += laid_out(line, _INDENT)
        return "\n".join(lines) + "\n"

    def _told(self) -> list[str]:
        """The docstring."""
        if not self.family:
            return [f'{_INDENT}"""{SAVED}"""']
        over = _FAMILIES[self.session.family]
        why = f"segments and windows have the sizes of {over}" if self._cut else f"it is about {over}"
        return [f'{_INDENT}"""{SAVED}', "", f"{_INDENT}`lab run` it with {self.family}: {why}.", f'{_INDENT}"""']

    def _in_short(self) -> str:
        pairs = ("ws", "server", "lose", "delay")
        words = [" ".join(w[: 1 + (w[0] in pairs)]) for line in self.session.lines if (w := line.split())]
        return _shortened(", ".join(words) or "nothing")


def _waits_for_an_ack(play: Play) -> bool:
    """Whether the server has more to say than it would say at once in the smallest segments."""
    end = play.connection.conversation.server.best.endpoint
    if end.unsent:
        return end.unsent + end.unacked > LEAST_MSS
    return end.unacked > FIRST_FLIGHT - (not play.told)  # of a program that nobody tells, nobody knows if it has more


def _function(path: Path, taken: set[str]) -> str:
    """A function's name that says what the file's does."""
    name = re.sub(r"\W+", "_", path.stem).strip("_").lower() or "played"
    reserved = keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in taken
    return f"played_{name}" if reserved or not name.isidentifier() else name


def _names_in(line: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name)}


def _imported(modules: dict[str, str], names: Iterable[str]) -> list[str]:
    """Import statements of those names, sorted as the linter has them."""
    some = {module: sorted((n for n in names if modules[n] == module), key=_isort) for module in modules.values()}
    return [f"from {module} import {', '.join(found)}" for module, found in sorted(some.items()) if found]


def _isort(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as the sorted imports of `scenarios/` have them."""
    return name[0].islower() + (not name.isupper()), name


def _shortened(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,") + "…"


def quoted(value: str | bytes) -> str:
    """A literal; many octets that repeat are multiplied."""
    if isinstance(value, bytes) and len(value) > LONG:
        unit = next(
            (value[:n] for n in range(1, LONG // 2) if value == (value[:n] * (len(value) // n + 1))[: len(value)]), b""
        )
        if unit and len(value) % len(unit) == 0:
            return f"({quoted(unit)} * {len(value) // len(unit)})"
    return literal(value)


def argument(value: bytes) -> str:
    """The same as a call's only argument, which needs no brackets of its own."""
    text = quoted(value)
    return text[1:-1] if text.startswith("(") else text


_ASSIGNED = re.compile(r"(\w+) = (.+?)(\.seq)?")


def _used(body: list[str]) -> list[str]:
    """The lines without names that nobody asks for: `y = peer.expect(…).seq` becomes `peer.expect(…)`."""
    kept: list[str] = []
    asked: set[str] = set()
    for line in reversed(body):
        found = _ASSIGNED.fullmatch(line)
        if found is not None and found[1] not in asked:
            if not found[2].endswith(")") or "(" not in found[2]:
                continue  # a number, and nothing is done
            line = found[2]
        kept.append(line)
        asked |= _names_in(line)
    return kept[::-1]
