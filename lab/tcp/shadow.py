"""The shadow of a real server: what it may send, what it owes, where it stands.

The model is told what was sent to the server and which calls the server's program made. Where the documents leave a
choice, or a stack is known to do otherwise than they ask, one `World` is followed for each profile that could be
true; what is observed rules worlds out, and where none is left the server has broken a rule. The first world is the
plain RFC 9293: while it stands, the server conforms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from lab.tcp.endpoint import Endpoint, Outcome
from lab.tcp.evolve import evolve
from lab.tcp.explain import CROSSING, Explainer
from lab.tcp.octets import EMPTY
from lab.tcp.outcome import CallError
from lab.tcp.profile import Profile
from lab.tcp.segment import ACK, PSH, RST, SYN, Hurdle, Segment, letters
from lab.tcp.state import NO_CONNECTION, State
from lab.tcp.ways import ways
from lab.tcp.world import Ended, Finding, Owed, Past, Sight, World

EXPIRY_SLACK = 0.9
"""A timer of the server may be seen to end this much of its length early: clocks tick coarsely."""

MOST_WORLDS = 64
"""Worlds that are followed at once: forks stop there, and what can be true is then a guess the stricter."""

_AHEAD = {
    State.ESTABLISHED: (State.FIN_WAIT_1, State.CLOSED),
    State.CLOSE_WAIT: (State.LAST_ACK, State.CLOSED),
    State.FIN_WAIT_1: (State.CLOSED,),
    State.FIN_WAIT_2: (State.CLOSED,),
}
"""Where a program's close and abort lead, before its FIN or RST has been seen. FIN-WAIT-2 takes our ACK of the FIN."""


class Shadow:
    """Follows the real server's end of one connection, and says what is wrong with what it sends."""

    def __init__(self, profiles: Sequence[Profile], *, exact: bool, told: bool = True) -> None:
        """`exact`: on this link a segment has been handled when sending it returns, so nothing can cross.

        Not `told`: nobody calls `call`, and what the server's program does is inferred from what it sends.
        """
        self.profiles = tuple(profiles)
        self.told = told
        self._explainer = Explainer(exact=exact, told=told)
        self.listening = False
        self.worlds = [World(Endpoint(profile=p)) for p in self.profiles]

    def copy(self) -> Shadow:
        """Another that goes its own way from here."""
        other = copy(self)
        other.worlds = [world.copy() for world in self.worlds]
        return other

    # What it is told

    def listen(self) -> None:
        """The server's program listens on this connection's port."""
        self.listening = True
        self._listen_again()

    def stop_listening(self) -> None:
        """The listener is closed: connections that stand go on (RFC 9293 §3.10.4 speaks of each by itself)."""
        self.listening = False
        for world in self.worlds:
            if world.endpoint.state is State.LISTEN:
                world.endpoint = Endpoint(profile=world.endpoint.profile)

    def call(self, name: str, act: Callable[[Endpoint], Outcome], now: float, data: bytes = b"") -> None:
        """The server's program makes a call; `act` makes it on each world's endpoint.

        Raises CallError where the call is an error in every world. In one where it is one nothing becomes of it.
        """
        outcomes: list[Outcome | None] = []
        for world in self.worlds:
            try:
                outcomes.append(act(world.endpoint))
            except CallError:
                if len(outcomes) == len(self.worlds) - 1 and not any(outcomes):
                    raise
                outcomes.append(None)
        for world, outcome in zip(self.worlds, outcomes, strict=True):
            if outcome is not None:
                self._take(world, outcome, now)
            if name == "send":
                world.written += data
            elif name in ("shutdown", "close"):
                world.finished = True
            elif name == "connect":
                self._begin_stream(world)
                world.edge = world.first_syn = None

    def reads(self, size: int, now: float) -> None:
        """The server's program reads so many octets; of a connection that is gone, those that had come before.

        Raises CallError where there are none, as `call` does.
        """
        if self.best.ended is None:
            self.call("receive", lambda end: end.receive(size), now)
        elif len(self.best.last.receive_buffer) < size:
            raise CallError("connection does not exist")
        for world in self.worlds:
            if world.ended is not None:
                left = world.last.receive_buffer.without(size)
                world.ended = Ended(evolve(world.last, receive_buffer=left), world.ended.notice)

    def keep_alive(self) -> None:
        """The program has switched keep-alive on (RFC 9293 §3.8.4, MAY-5); an untold one may have done so anyway."""
        self._explainer.keep_alive = True

    def receives(self, segment: Segment, now: float, hurdle: Hurdle | None = None) -> None:
        """A sound segment of the lab's reaches the server, whose host may refuse it for the `hurdle`."""
        self.make_ready(segment)
        taken = self._ways(segment, now, hurdle)
        self.worlds = [world for world, _ in taken]
        for world, outcome in taken:
            before = world.endpoint
            world.note_asking(segment)
            new_life = SYN in segment.flags and outcome.endpoint.irs != before.irs
            if new_life and outcome.endpoint.state is State.SYN_RECEIVED and before.state is not State.SYN_SENT:
                self._begin_stream(world)
                world.edge = world.peer_edge = world.first_syn = world.last_stamp = None
                world.stamps = set()
                world.acks, world.owed, world.overtaken = (), (), ()
            if new_life or (world.peer_syn is None and SYN in segment.flags):
                world.peer_syn = segment
            if before.rcv_nxt != outcome.endpoint.rcv_nxt:
                world.acks = (*world.acks[-63:], Past(before.rcv_nxt, world.edge, now))
            self._note_peer_window(world, segment)
            if segment.timestamps is not None:
                world.stamps.add(segment.timestamps[0])
            self._take(world, outcome, now)
            world.heard = world.endpoint.state
            world.forget_acknowledged()

    def _ways(self, segment: Segment, now: float, hurdle: Hurdle | None) -> list[tuple[World, Outcome]]:
        """Each world, with what the segment brings there; where it may bring this or that, both are followed."""
        found: list[tuple[World, Outcome]] = []
        room = MOST_WORLDS - len(self.worlds)
        for world in self.worlds:
            first, *others = ways(world.endpoint, segment, now, hurdle)
            found.append((world, first))
            found += [(world.copy(), other) for other in others[: max(0, room)]]
            room -= len(others)
        return found

    def make_ready(self, segment: Segment | None = None) -> None:
        """What is done before a segment or a call reaches the server: its program listens on, and may have read."""
        self._listen_again()
        if segment is not None and not self.told:
            self._have_read_or_not(segment)

    def _have_read_or_not(self, segment: Segment) -> None:
        """Nobody says what the program has read. All that matters of it is whether anything waits, and that only to a
        stack that takes what reaches beyond its window while nothing does: then both are followed.
        """
        followed: list[World] = []
        for world in self.worlds:
            end, followed = world.endpoint, [*followed, world]
            if len(end.receive_buffer) > 1:
                world.endpoint = evolve(end, receive_buffer=end.receive_buffer.without(len(end.receive_buffer) - 1))
            over = segment.end.ahead_of(end.rcv_nxt + end.rcv_wnd) > 0
            if over and end.receive_buffer and end.profile.has("window-overrun") and len(self.worlds) < MOST_WORLDS:
                followed.append(world.copy())
                followed[-1].endpoint = evolve(end, receive_buffer=EMPTY)
        self.worlds = followed

    @staticmethod
    def _begin_stream(world: World) -> None:
        world.written, world.forgotten, world.finished, world.ended = EMPTY, 0, False, None
        world.sent_at, world.high, world.recover, world.ahead_since = (), 1, None, None
        world.wide_updates = 0

    def _listen_again(self) -> None:
        if self.listening:
            for world in self.worlds:
                if world.endpoint.state is State.CLOSED:
                    world.endpoint = Endpoint(profile=world.endpoint.profile).open_passive().endpoint

    def _take(self, world: World, outcome: Outcome, now: float) -> None:
        world.becomes(outcome.endpoint, outcome.notices)
        world.rule, world.why = outcome.rule, outcome.why
        world.choices = tuple(dict.fromkeys((*world.choices, *outcome.choices)))
        if world.endpoint.state in NO_CONNECTION:
            # What a connection still owed is no longer owed once it is gone; what its end provokes is.
            world.note_overtaken(world.owed, now)
            world.owed = ()
        world.owed += tuple(Owed(r, now, now + r.due) for r in outcome.replies)

    @staticmethod
    def _note_peer_window(world: World, segment: Segment) -> None:
        """How far the server may send. A bare SYN's window counts from the server's SYN, which comes later."""
        if ACK not in segment.flags:
            return
        scale = 0
        if SYN not in segment.flags and world.first_syn and world.first_syn.window_scale is not None and world.peer_syn:
            scale = min(world.peer_syn.window_scale or 0, 14)
        edge = segment.ack + (segment.window << scale)
        if world.peer_edge is None or edge.ahead_of(world.peer_edge) > 0:
            world.peer_edge = edge

    # What it sees

    def observe(self, segment: Segment, now: float) -> Sight:
        """The server sent `segment`. Worlds that cannot explain it are ruled out; if none can, a Finding says why."""
        explained: list[World] = []
        notes: list[str] = []
        refusal: Finding | None = None
        expecting = False
        for world in self.worlds:
            trial = world.copy()
            verdict = self._explainer.explain(trial, segment, now)
            if isinstance(verdict, Finding):
                # A world that waits for something knows best what is wrong with what came.
                if refusal is None or world.owed or not expecting:
                    refusal, expecting = verdict, bool(world.owed)
                continue
            explained.append(trial)
            notes.append(verdict)
        if explained:
            self.worlds = explained
            for world in explained:
                self._remember(world, segment, now)
            return Sight(None, notes[0], explained[0].rule)
        rule = self.worlds[-1].rule
        for world in self.worlds:
            self._remember(world, segment, now)
        return Sight(refusal, "", rule)

    def missing(self, now: float) -> Finding | None:
        """What was owed by `now` and did not come, in every world that could be true; changes nothing."""
        finding = None
        for world in self.worlds:
            finding = self._missing(world, now)
            if finding is None:
                return None
        return finding

    @property
    def may_stay_silent(self) -> bool:
        """Whether an answer that has not come may be left out: a stack may limit how often it repeats itself."""
        return any(o.reply.optional for world in self.worlds for o in world.owed)

    def settle(self, now: float) -> Finding | None:
        """Everything sent until `now` has been handled and every answer read: worlds that still owe one are not true.

        Where none is left, a Finding says what did not come.
        """
        finding = self.missing(now)
        if finding is None:
            self.worlds = [w for w in self.worlds if self._missing(w, now) is None]
        else:
            for world in self.worlds:
                world.owed = tuple(o for o in world.owed if o.until > now)
        return finding

    def _missing(self, world: World, now: float) -> Finding | None:
        owed = next((o for o in world.owed if o.until <= now and not o.reply.optional), None)
        if owed is None:
            return None
        wanted = owed.reply.segment
        return Finding(
            "silence",
            f"a segment with flags {letters(wanted.flags & ~PSH)}",
            "nothing",
            f"the server owes an answer ({letters(wanted.flags & ~PSH)}) and sent nothing: {world.why}",
            owed.reply.rule,
            wanted,
        )

    def compare_state(self, observed: State, now: float) -> Finding | None:
        """The server's kernel reports `observed` for the connection: which worlds does that rule out?

        An untold program may have closed or aborted a moment ago. For CROSSING seconds the segment that tells so may
        be missing, as long as data is outstanding or the lab's window shut also longer; then it is due.
        """
        standing = [w for w in self.worlds if self._stands(w, observed, now)]
        if standing:
            for world in standing:
                if self._runs_ahead(world, observed, now):
                    world.ahead_since = now if world.ahead_since is None else world.ahead_since
                    continue
                world.ahead_since = None
                self._give_up(world, observed)
            self.worlds = standing
            return None
        world = self.worlds[-1]
        return Finding(
            "state",
            str(world.endpoint.state),
            str(observed),
            f"the server's kernel is in {observed}, the model in {world.endpoint.state}: {world.why}",
            world.rule or "RFC 9293 §3.3.2",
        )

    def could_be_in(self, observed: State, now: float) -> bool:
        """Whether any world that could be true agrees with what the server's kernel reports; changes nothing."""
        return any(self._stands(world, observed, now) for world in self.worlds)

    def is_behind(self, observed: State, now: float) -> bool:
        """Whether the model agrees with the kernel only if a FIN or RST of an untold program is still on its way."""
        standing = [world for world in self.worlds if self._stands(world, observed, now)]
        return bool(standing) and all(self._runs_ahead(world, observed, now) for world in standing)

    def _stands(self, world: World, observed: State, now: float) -> bool:
        state = world.endpoint.state
        if state is observed or (observed is State.CLOSED and state is State.LISTEN):
            return True
        if self._runs_ahead(world, observed, now):
            return True
        if observed is not State.CLOSED:
            return False
        # Gone by a timer: TIME-WAIT's (RFC 9293 §3.10.8), or the server gave up repeating itself (§3.8.3), which no
        # stack does before it has waited at least as long again as between its last two tries.
        at = world.endpoint.next_timeout
        waited = now - world.last_sent
        unanswered = state in (State.SYN_RECEIVED, State.SYN_SENT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
        if state is State.FIN_WAIT_2 and not self.told and world.endpoint.profile.has("fin-wait-2-timer"):
            # Whether the program still holds it is not known: if not, the timer runs (choice "fin-wait-2-timer").
            limit = world.endpoint.profile.parameters.fin_wait_2
            return limit is not None and waited >= limit * EXPIRY_SLACK
        if state in (State.TIME_WAIT, State.FIN_WAIT_2) and at is not None:
            begun = at - world.endpoint.profile.parameters.time_wait
            return now >= begun + (at - begun) * EXPIRY_SLACK
        return unanswered and waited >= 1.0 * EXPIRY_SLACK

    def _runs_ahead(self, world: World, observed: State, now: float) -> bool:
        """Whether the kernel can be there because an untold program closed or aborted, which no segment tells yet."""
        state, since = world.endpoint.state, world.ahead_since
        if self.told or state is observed or observed not in _AHEAD.get(state, ()):
            return False
        if since is None or now - since < CROSSING:
            return True
        # A FIN waits behind data, and data for acknowledgments and for a window that is worth a segment.
        waits = world.endpoint.snd_una != world.endpoint.snd_nxt or world.room < world.endpoint.send_mss
        return waits and observed is not State.CLOSED

    @staticmethod
    def _give_up(world: World, observed: State) -> None:
        """The kernel has let go of a connection that the model still had: a timer ran out."""
        if observed is State.CLOSED and world.endpoint.state not in NO_CONNECTION:
            told = () if world.endpoint.state is State.TIME_WAIT else ("connection aborted due to user timeout",)
            world.becomes(Endpoint(profile=world.endpoint.profile), told)
            world.owed = ()
            world.why, world.rule = "its timer ran out", "RFC 9293 §3.10.8"

    # Bookkeeping

    def _remember(self, world: World, segment: Segment, now: float) -> None:
        if SYN in segment.flags and world.first_syn is None:
            world.first_syn = segment
        if SYN in segment.flags and world.peer_edge is None and world.peer_syn is not None:
            world.peer_edge = segment.seq + 1 + world.peer_syn.window
        if segment.timestamps is not None:
            world.last_stamp = segment.timestamps[0]
        stood = world.endpoint.state is not State.CLOSED
        world.becomes(world.endpoint.sent(segment, now))
        if RST in segment.flags:
            if stood and world.endpoint.state is State.CLOSED and not self.told:
                world.owed = ()  # the program has aborted: what its end still owed, nobody owes any more
            return
        world.last_sent = now
        at = world.offset(segment.seq)
        if segment.length and at is not None:
            world.sent_at = (*world.sent_at[-255:], (at, at + segment.length, now, world.asked))
            world.high = max(world.high, at + segment.length)
        if ACK in segment.flags:
            scale = 0 if SYN in segment.flags else world.offered_scale
            edge = segment.ack + (segment.window << scale)
            if world.edge is None or edge.ahead_of(world.edge) > 0:
                world.edge = edge

    @property
    def best(self) -> World:
        """The most conforming world that explains everything so far."""
        return self.worlds[0]
