"""A session: connections in a person's hands, on one bench, judged at every step like a scenario's.

A session knows no terminal: `lab.explore.shell` reads what is typed there, and the commands of `lab.explore.commands`
act on the session, each within a `step`. Whatever a server does wrong is told and the session goes on; where the
server, its agent or the link is gone, it keeps what it has, and the shell begins another.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lab.explore.errors import CommandError, Over
from lab.explore.overdue import await_websockets, await_what_is_due
from lab.explore.play import Play
from lab.explore.script.numbers import counted
from lab.explore.script.scribe import Scribe
from lab.scenario.bench import Bench, Family
from lab.scenario.connection import Connection
from lab.scenario.errors import ScenarioError, Stopped
from lab.scenario.peer import Peer
from lab.scenario.play import agent_gone, conclude, profiles
from lab.scenario.record import DELAYED, LOST, Call, Packet, Problem, Result, Standing, Verdict
from lab.scenario.server import Listener, Server
from lab.scenario.standing import standing
from lab.server.client import AgentError, AgentGone
from lab.tcp.outcome import CallError
from lab.tcp.outlook import Answer, Move
from lab.tcp.sequence import Seq
from lab.tcp.state import NO_CONNECTION, SYNCHRONIZED, State
from lab.tcp.world import Finding
from lab.testbed.base import Testbed
from lab.testbed.errors import CannotRun
from lab.wire.errors import FrameTooLong, LinkError
from lab.wire.scapy_side import ScapyPacket

NAME = "explore"
"""What a session is called in reports and files."""
OWED = 0.6
"""Seconds that a step waits for an ACK that the server may delay (0.5 s at most, RFC 9293 §3.8.6.3)."""
MOST_ANSWERS = 200
"""Segments that the model answers with in one step, with `auto on`: two ends may answer each other without end."""
LATE = "arrives late"
LATER = 1_000_000
"""Numbers between the first ones of two lives of a connection: four seconds of RFC 9293 §3.4.1's clock."""
_AGAINST = {
    "wire": "the wire against the documents: ",
    "socket": "the socket against the model: ",
    "model": "the wire against the model: ",
    "websocket": "the wire against the model of RFC 6455: ",
    "program": "the program against the model: ",
}
"""Who disagrees with whom, where that witness objects."""


@dataclass(slots=True)
class Step:
    """What came of one command, or of waiting for the next one."""

    number: int
    """From 1; 0 for what happened between two commands."""
    line: str
    entries: list[Packet | Call]
    """What the ladder grew by."""
    standing: Standing | None
    """Where the connection in hand stands now; None where nobody can say any more."""
    problems: list[Problem]
    """What was found wrong meanwhile."""


@dataclass(slots=True)
class Delayed:
    """A frame that is still on its way."""

    play: Play
    frame: bytes
    code: str
    """How it is written in a scenario."""


class Session:
    """Plays connections by hand, until `finish`; the testbed is the caller's."""

    def __init__(
        self,
        testbed: Testbed,
        family: Family,
        *,
        seed: int,
        name: str = NAME,
        echoing: frozenset[str] | None = frozenset(),
    ) -> None:
        """`seed` chooses ports and initial numbers. `name` is what it is called in reports and files.

        `echoing`: paths where its WebSocket server is known to send each message back, None for all of them.
        """
        self.name = name
        self.testbed = testbed
        self.family: Family = family
        self.seed = seed
        self.echoing = echoing
        self.bench = Bench(
            testbed,
            family,
            profiles=profiles(testbed),
            chance=random.Random(f"{seed} {NAME} {family}"),
            wrap=False,
            script=Path(NAME),
            alone=testbed.name == "sandbox",
            on_entry=self._follow,
        )
        self.bench.others = True
        self.plays: dict[str, Play] = {}
        self.scribe = Scribe(self)
        self.lines: list[str] = []
        """Every command that was done, as it was typed."""
        self.auto = False
        """Whether the model answers for us."""
        self.lose_next = self.delay_next = False
        self.delayed: list[Delayed] = []
        self._later = ""
        """How the segment that goes out now is written at any later time."""
        self.over = ""
        """Why nothing more can be done here, "" as long as it can."""
        self._before = testbed.link.statistics()
        self.notice = ""
        """What a command that shows nothing else has to say."""
        self.interrupted = False
        """Set by a Ctrl-C while time passes."""
        self.on_wait: Callable[[], None] = lambda: None
        self.found: list[tuple[int, Problem]] = []
        """Each problem with how long the timeline was at the end of the step that brought it."""
        self._told = 0
        self._problems_told = 0
        first = self.bench.connection()
        self.server = Server(self.bench, first)
        self.hand = self.take(first)
        self.listener: Listener | None = None
        self._listened: int | None = None
        """The port where the program has listened last."""

    # Connections

    def take(self, connection: Connection) -> Play:
        """Take a connection of the bench into hand."""
        play = Play(Peer(self.bench, connection))
        self.plays[connection.name] = play
        self.hand = play
        return play

    def begin(self) -> Step:
        """The server's program listens, so that the first SYN meets somebody. A target listens already.

        Raises Over where the server is gone already.
        """
        return self.step("", self.listen)

    def listen(self) -> None:
        """The program listens, on a port of its kernel's choice."""
        self.listener = self.server.listen()
        self._listened = self.listener.port
        self.scribe.listens()
        for play in self.plays.values():
            if play.fresh and play.told and play.connection.server_port != self.listener.port:
                play.peer.towards(self.listener.port)  # the old port is closed
                self.scribe.turns(play, "listener.port")

    def another(self, port: int | None = None, code: str = "") -> Play:
        """Another connection in hand: to where the program listens or did, or to `port`, which `code` writes."""
        where = port or self._listened
        connection = self.bench.connection(None, where)
        if where in self.bench.listening:
            connection.conversation.server.listen()
        play = self.take(connection)
        play.begins()
        if port is not None:
            self.scribe.turns(play, code)
        return play

    def names(self) -> dict[str, int]:
        """What an expression may call by name, of the connection in hand (RFC 9293 §3.3.1), as far as it is known."""
        play, conversation = self.hand, self.hand.connection.conversation
        end, y = conversation.peer, conversation.server_isn
        known: dict[str, int | None] = {
            "x": play.connection.peer_isn,
            "iss": play.connection.peer_isn,
            "y": y,
            "irs": y,
            "snd_nxt": play.peer.snd_nxt,
            "snd_una": end.snd_una if end.iss is not None else None,
            "snd_wnd": end.snd_wnd if end.irs is not None else None,
            "rcv_nxt": end.rcv_nxt if y is not None else None,
            "rcv_wnd": end.rcv_wnd if end.iss is not None else None,
            "mss": end.send_mss,
            "sport": play.peer.port,
            "dport": play.connection.server_port,
        }
        return {name: value for name, value in known.items() if value is not None}

    def script_names(self) -> dict[str, str]:
        """The same names as a scenario writes them."""
        self.scribe.meets(self.hand)
        self.scribe.catches_up()
        play, written = self.hand, self.scribe.names(self.hand)
        end = play.connection.conversation.peer
        una = end.snd_una.ahead_of(play.connection.peer_isn) if end.iss is not None else 0
        return {
            "x": written.x,
            "iss": written.x,
            "y": written.y,
            "irs": written.y,
            "snd_nxt": f"{written.peer}.snd_nxt",
            "rcv_nxt": f"{written.peer}.rcv_nxt",
            "snd_una": counted(written.x, una),
            "snd_wnd": f"{written.peer}.snd_wnd",
            "rcv_wnd": f"{written.peer}.rcv_wnd",
            "mss": f"{written.peer}.mss",
            "sport": f"{written.peer}.port",
            "dport": "site.port" if play.web else "listener.port",
        }

    # Steps

    def step(self, line: str, act: Callable[[], None]) -> Step:
        """Do something, judge all that it provokes, and say what came of it.

        Raises CommandError where it cannot be done; Over where there is nothing left to do it on.
        """
        if self.over:
            raise Over(
                f"{self.over}; what was seen is kept: `save`, `pcap` and `ladder` still work, `restart` begins anew"
            )
        number = len(self.lines) + 1 if line else 0
        try:
            self.catch_up()
            act()
            self.settle()
        except (CallError, AgentError, ScenarioError) as error:
            if isinstance(error, AgentError | CallError):
                self.scribe.withdraws()
            self._find_out(number, line)
            raise CommandError(self._in_words(error)) from error
        except Stopped:
            pass  # on record, and told below
        except FrameTooLong as error:
            self._find_out(number, line)
            raise CommandError(str(error).rstrip("."), "nothing was sent") from error
        except (LinkError, AgentGone, CannotRun) as error:
            self._end(error)
        if line:
            self.lines.append(line)
        return self._find_out(number, line)

    def overhear(self) -> Step | None:
        """What came, or ended, while nobody did anything; None where nothing did."""
        if self.over:
            return None
        try:
            self.catch_up()
            if len(self.bench.timeline) > self._told:
                self.settle()
        except Stopped:
            pass
        except (LinkError, AgentGone, CannotRun) as error:
            self._end(error)
        if len(self.bench.timeline) == self._told and not self.over:
            return None
        return self._find_out(0, "")

    def catch_up(self) -> None:
        """Take note of what has happened since the last step, and was not provoked by the next one.

        A kernel tells nobody when its timers let go of a connection (RFC 9293 §3.8.3, §3.10.8): it has to be asked,
        lest it be blamed for what it no longer knows.
        """
        self.bench.pump()
        for play in self.plays.values():
            stood, server = play.connection.server_state, play.connection.conversation.server
            state = self.bench.ask_state(play.connection)
            if state is not None and server.could_be_in(state, self.bench.now()):
                server.compare_state(state, self.bench.now())
            if stood not in NO_CONNECTION and play.connection.server_state in NO_CONNECTION:
                self.bench.say("note", f"the server has let go of the connection: {server.best.why}", play.name)

    def settle(self) -> None:
        """Wait for what is owed, let the model answer where it shall, and compare the witnesses."""
        self._answer()
        if any(self._waits(play) for play in self.plays.values()):
            self.bench.wait_until(lambda: not any(self._waits(play) for play in self.plays.values()), OWED)
            self._answer()
        await_what_is_due(self)
        self.bench.settle()

    def _waits(self, play: Play) -> bool:
        """Whether the server has yet to send an ACK that it may delay."""
        server = play.connection.conversation.server
        return any(owed.reply.due and not owed.reply.optional for owed in server.best.owed)

    def _find_out(self, number: int, line: str) -> Step:
        bench = self.bench
        self._place_problems(number, line)
        entries, self._told = bench.timeline[self._told :], len(bench.timeline)
        problems, self._problems_told = bench.problems[self._problems_told :], len(bench.problems)
        self.found += [(self._told, problem) for problem in problems]
        bench.pass_over()
        where: Standing | None = None
        if not self.over:
            try:
                where = self.standing()
            except (AgentGone, AgentError, LinkError) as error:
                self._end(error)
        if where is not None and problems and not where.objection:
            first = problems[0]
            where = replace(where, objection=f"{_AGAINST.get(first.witness, '')}{first.message}", rule=first.section)
        step = Step(number, line, entries, where, problems)
        self.scribe.notes(step)
        return step

    def standing(self, *, kernel: bool = True) -> Standing:
        """Where the connection in hand stands, and what may come next; `kernel` as `lab.scenario.standing` has it."""
        where, play = standing(self.bench, self.hand.connection, kernel=kernel, iss=opening(self.hand)), self.hand
        if play.socket is not None or not play.told:
            return where
        # The model's user may call on a connection at once, a program of the sockets' when it has accepted it.
        of_none: tuple[str, ...] = ("connect", "close") if where.server.state in NO_CONNECTION else ()
        of_none += ("listen",) if self.listener is None else ()
        legal = [move for move in where.legal if move.by == "lab" or move.name in of_none]
        if self.listener is not None and play in self.waiting:
            nothing = Answer.nothing(where.server.state, where.lab.state)
            legal.append(Move("server", "accept", None, True, "", False, (nothing,)))
        return replace(where, legal=tuple(legal))

    @property
    def waiting(self) -> list[Play]:
        """Connections that stand, and that no program has taken."""
        return [p for p in self.plays.values() if p.told and not p.taken and p.connection.server_state in SYNCHRONIZED]

    def _place_problems(self, number: int, line: str) -> None:
        for problem in self.bench.problems[self._problems_told :]:
            if not problem.file and line:
                problem.file, problem.line, problem.source = "step", number, line

    def _end(self, error: Exception) -> None:
        """Nothing more can be done here."""
        gone = agent_gone(self.testbed, [*self.bench.problems, Problem(Verdict.INCONCLUSIVE, "")])
        said = "the server is gone: its agent has vanished" if gone else str(error).rstrip(".")
        self.over = said
        self.bench.problems.append(
            Problem(Verdict.INCONCLUSIVE, said, next_step="`restart` begins anew, with what was seen kept")
        )

    @staticmethod
    def _in_words(error: Exception) -> str:
        if isinstance(error, AgentError) and error.errno:
            said = f"the server's kernel refuses that: {error.errno}"
            return f"{said}: `states` shows where each end stands"
        if isinstance(error, CallError):
            return f"the call fails, with `error: {error}` (RFC 9293 §3.10): `states` shows where each end stands"
        return str(error)

    def wait(self, seconds: float | None, most: float) -> None:
        """Let time pass until `most` seconds are over, or with None until the server says something.

        `interrupted` ends it at the next tenth of a second. What comes is drawn by `on_wait` as it comes.
        """
        self.interrupted = False
        if seconds is not None:
            self.scribe.waits(seconds)
        heard, began = self._heard(), self.bench.now()

        def over() -> bool:
            return self.interrupted or (seconds is None and self._heard() > heard)

        while not over() and (left := began + most - self.bench.now()) > 0:
            self.bench.wait_until(over, min(left, 0.1))
            self._answer()
            self.on_wait()
        passed = self.bench.now() - began
        if self.interrupted and seconds is not None:
            self.scribe.waited(passed)
        self.bench.say("wait", f"{passed:.2g} s pass" + (", ended by Ctrl-C" if self.interrupted else ""))

    def _heard(self) -> int:
        """How much the server has said."""
        return sum(isinstance(entry, Packet) and entry.sender == "server" for entry in self.bench.timeline)

    def untold(self) -> list[Packet | Call]:
        """What the record has grown by since the last step was told."""
        return self.bench.timeline[self._told :]

    # What the model answers

    def _answer(self) -> None:
        """With `auto on`: send what our end owes, by its model, until nothing is owed."""
        if not self.auto:
            return
        for _ in range(MOST_ANSWERS):
            self.bench.pump()
            owing = [(play, reply) for play in self.plays.values() for reply in play.connection.conversation.owed]
            if not owing:
                return
            play, reply = owing[0]
            segment = reply.segment
            if "seq" in reply.free:
                segment = replace(segment, seq=play.peer.snd_nxt)
            frame = self.bench.frame_for(segment, play.peer.port, self.bench.port_of(play.connection))
            self.put(play, frame, note="answered by the model")
            owed = play.connection.conversation.owed
            if owed and owed[0] == reply:  # a debt that no segment settles must not be paid for ever
                play.connection.conversation.owed = owed[1:]

    # What goes out

    def send(self, play: Play, packet: ScapyPacket, *, code: str = "", note: str = "", ours: bool = True) -> None:
        """Send a packet, its missing fields filled in, through what the network does to it.

        `code`: how it is written in a scenario. Not `ours`: an old duplicate, of which our end knows nothing. Raises
        ScenarioError where no frame can be made of it.
        """
        self.put(play, play.peer.complete(packet), code=code, note=note, ours=ours)

    def put(self, play: Play, frame: bytes, *, code: str = "", note: str = "", ours: bool = True) -> None:
        """Send a whole frame on a connection: now, never, or behind the next one."""
        self.scribe.meets(play)
        code = self.scribe.meant(play, frame, code or self.scribe.packet(play, frame))
        later = self.scribe.later(play, frame, code)
        waiting, self.delayed = self.delayed, []
        lose = delay = False
        if ours:  # an old duplicate is on its way already
            lose, delay, self.lose_next, self.delay_next = self.lose_next, self.delay_next, False, False
        self.scribe.sends(play, code, ours=ours, lost=lose or delay)
        self._later = later
        if lose or delay:
            self.bench.transmit(play.connection, frame, note=DELAYED if delay else LOST, lost=True)
            self.delayed = [*waiting, Delayed(play, frame, later)] if delay else waiting
            return
        try:
            self.bench.transmit(play.connection, frame, note=note, ours=ours)
        except FrameTooLong:
            self.scribe.withdraws_packet()
            self.delayed, waiting = waiting, []
            raise
        finally:
            for one in waiting:
                self.scribe.sends(one.play, one.code, ours=False, lost=False)
                self._later = one.code
                self.bench.transmit(one.play.connection, one.frame, ours=False, note=LATE)

    def _follow(self, entry: Packet | Call) -> None:
        """Every entry of the record passes here."""
        play = self.plays.get(entry.connection)
        for one in [play] if play else self.plays.values() if isinstance(entry, Call) else ():
            one.walks(entry)
        if play is not None and isinstance(entry, Packet) and entry.segment is not None:
            if entry.sender == "peer":
                play.sent.append(entry)
                play.codes[entry.number] = self._later
            if play.web is not None and entry.note not in (LOST, DELAYED):
                play.web.follows(entry, lambda finding: self._object(play, entry, finding), _reached(play))

    def _object(self, play: Play, packet: Packet, finding: Finding) -> None:
        packet.problem = self.bench.add(self.bench.problem_of(play.connection, finding, packet, "websocket"))

    # What it comes to

    def result(self) -> Result:
        """What was seen so far, as reports read it."""
        bench = self.bench
        return Result(
            name=self.name,
            title="Played by hand",
            family=self.family,
            verdict=Verdict.INCONCLUSIVE,
            peer_address=bench.peer_address,
            server_address=bench.server_address,
            isns={
                c.name: (int(c.peer_isn), None if (y := c.conversation.server_isn) is None else int(y))
                for c in bench.connections.values()
            },
            timeline=bench.timeline,
            problems=bench.problems,
            seconds=bench.now(),
        )

    def finish(self) -> Result:
        """End the session: the last comparison, and the verdict on all of it."""
        if not self.over:
            try:
                self.bench.await_ends()
                await_websockets(self)
                self.bench.settle()
                self._miss_answers()
            except Stopped:
                pass
            except (LinkError, AgentGone, AgentError, CannotRun) as error:
                self._end(error)
        result = self.result()
        conclude(result, self.bench, self._before)
        return result

    def _miss_answers(self) -> None:
        """What a target owes and has not sent, where nothing proves that it was asked: no fault, and no conformance."""
        if self.testbed.settle != "wait" or self.bench.problems:
            return
        for play in self.plays.values():
            finding = play.connection.conversation.server.missing(self.bench.now())
            if finding is not None:
                problem = Problem(
                    Verdict.INCONCLUSIVE,
                    f"{finding.message.partition(':')[0]}: silence alone proves little",
                    field=finding.field,
                    expected=finding.expected,
                    observed=finding.observed,
                    section=finding.section,
                    next_step="see whether a firewall stands between, and whether `repeat last` is answered",
                )
                self.bench.add(self.bench.with_standing(problem, play.connection))


def opening(play: Play) -> Seq:
    """The number of the SYN that our end would send now: in another life of the connection a later one.

    As the clock of RFC 9293 §3.4.1 has it: a server in TIME-WAIT takes no earlier one (§3.6.1).
    """
    over = play.peer.state is State.CLOSED and play.connection.conversation.peer.iss is None
    return play.connection.peer_isn + LATER if over and play.sent and play.lives else play.connection.iss


def _reached(play: Play) -> int:
    """How many of our numbers the server has taken for sure: the rest it has dropped, or keeps behind a gap."""
    ends = [world.endpoint for world in play.connection.conversation.server.worlds]
    return min(end.rcv_nxt.ahead_of(play.connection.peer_isn) if end.irs is not None else 0 for end in ends)
