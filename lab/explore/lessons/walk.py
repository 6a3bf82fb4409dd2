"""The way through a lesson: what was done is held against what the step asks for, and the next thing is said.

It knows no terminal: what there is to say goes to a `Teller`, and so does what the lesson types itself to bring a
connection where a step begins.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

from lab.explore.commands.numbers import whole
from lab.explore.commands.table import Command
from lab.explore.errors import CommandError, Over
from lab.explore.lessons.lesson import Lesson, Stage, Way
from lab.explore.lessons.occasion import Numbers, Occasion, holds, in_words, occasion, values
from lab.explore.play import Play
from lab.explore.session import Session, Step
from lab.scenario.record import Packet, Verdict
from lab.tcp.state import NO_CONNECTION, State

Kind = Literal["title", "text", "where", "ask", "right", "wrong", "because", "hint", "note", "done", "bad"]
"""What a sentence is, for its style."""

_FREE = ("wait", "switch", "lose next", "delay next", "auto", "new")
"""Commands that are no answer to anything."""


class Teller(Protocol):
    """Says what the lesson has to say, and does what it types."""

    def says(self, kind: Kind, text: str) -> None:
        """A sentence, or some."""

    def stands(self, session: Session, step: Step) -> None:
        """Where both ends are after a step, in a line."""

    def checks(self, line: str, act: Callable[[], None]) -> Step:
        """Do something that no line does, and show what came of it. Raises CommandError, Over."""

    def types(self, line: str) -> Step:
        """Do a line as if the person had typed it, and show it. Raises CommandError, Over."""


class Walk:
    """A person's way through one lesson."""

    def __init__(self, lesson: Lesson, teller: Teller) -> None:
        self.lesson = lesson
        self.teller = teller
        self.at = 0
        """Which step is asked for, from 0."""
        self.finished = False
        self.violated = False
        """Whether the server broke a rule."""
        self.play: Play | None = None
        self._session: Session | None = None
        self._begun = False
        self._hints = 0
        self._stale = False
        """Whether the step cannot be done on this connection any more."""
        self._before = Numbers()
        self._explained: set[State] = set()

    @property
    def stage(self) -> Stage:
        """The step that is asked for."""
        return self.lesson.stages[self.at]

    @property
    def session(self) -> Session:
        """Where it is played."""
        assert self._session is not None, "starts comes first"
        return self._session

    def starts(self, session: Session) -> None:
        """A session begins: the first, or one after a restart, which takes this part up again."""
        self._session, self.play = session, session.hand
        if not self._begun:
            self._begun = True
            self._say("title", "title")
            self._say("text", "intro")
            self._say("note", "commands")
        if not self.finished:
            self._begin_part()

    def ends(self) -> None:
        """The person leaves."""
        if not self.finished:
            self._say("wrong", "unfinished")

    # What happens

    def happened(self, command: Command, step: Step) -> None:
        """A command was done: judge what came of it."""
        seen = self._seen(step)
        wronged = self._objects(step)
        if self.finished or seen is None or command.quiet:
            return
        if self.session.hand is not self.play:
            self._say("note", "elsewhere")
            return
        if self._ends(seen, wronged=wronged):
            return
        if step.problems:
            self._say("bad", "unfair")
            return
        self._explain(command, step, seen)
        self._look_after(seen)

    def overheard(self, step: Step) -> None:
        """Something came while nobody typed."""
        seen = self._seen(step)
        if self._objects(step) or self.finished or seen is None:
            return
        if all(way.when.sends is None for way in self.stage.fulfilled) and self.stage.acts and self._ends(seen):
            return
        if not self._stale and not self._possible():
            self._stale = True
            self._say("wrong", "given_up")

    def looked(self, command: Command, rest: str) -> None:
        """Something was looked at."""
        if self.finished or self.play is None or not any(way.when.looks for way in self.stage.fulfilled):
            return
        word = rest.strip().lstrip("#")
        packets = [entry for entry in self.session.bench.timeline if isinstance(entry, Packet)]
        number = whole(word)
        at = len(packets) if number is None else number
        at = at if at > 0 else len(packets) + 1 + at
        shown = packets[at - 1] if command.name == "layers" and 1 <= at <= len(packets) else None
        if not self._ends(Occasion(self.play, looked=command.name, of=shown)) and shown is not None:
            self._say("wrong", "other_packet")

    def refused(self, command: Command) -> bool:
        """A command could not be done: whether that was what the step wants to show."""
        if self.finished or self.play is None or command.name not in {w.when.refused for w in self.stage.fulfilled}:
            return False
        if command.name == "server accept" and self.session.listener is not None:
            listener = self.session.listener
            self.session.scribe.calls("listener.has_nothing()")
            wronged = self._objects(self.teller.checks("server accept", listener.has_nothing))
            return self._ends(Occasion(self.play, refused=command.name), wronged=wronged)
        return self._ends(Occasion(self.play, refused=command.name))

    def allows(self, command: Command, rest: str) -> None:
        """Raises CommandError where a question comes first, or where the model would take the lesson away."""
        if self.finished or command.quiet:
            return
        if command.name == "auto" and rest.strip().lower() == "on":
            raise CommandError(self._words("no_auto"))
        if self.stage.question and command.name not in _FREE:
            raise CommandError(self._words("question_first", ask=self._words(f"ask.{self.stage.id}")))

    # What is asked

    def answer(self, word: str) -> None:
        """An answer to the question. Raises CommandError where there is none, or no answer."""
        if self.finished:
            raise CommandError(self._words("is_finished"))
        if not self.stage.question:
            raise CommandError(self._words("no_question", ask=self._words(f"ask.{self.stage.id}")))
        if not word.strip():
            raise CommandError(self._words("no_answer"))
        assert self.play is not None
        if not self._ends(Occasion(self.play, answer=word)):
            seen = Occasion(self.play, answer=word)
            for way in self.stage.wrong:
                if self._holds(way, seen, f"{self.stage.id}.{way.id}"):
                    self._say("wrong", f"wrong.{self.stage.id}.{way.id}")
                    return
            self._say("wrong", "wrong_answer", said=word.strip())

    def hint(self) -> None:
        """The next hint; the last one is said again. Raises CommandError when there is nothing to hint at."""
        if self.finished:
            raise CommandError(self._words("is_finished"))
        hints = self.lesson.texts.hints[self.stage.id]
        at = min(self._hints, len(hints) - 1)
        self._hints += 1
        self.teller.says("hint", hints[at].format(**self.known()))
        if at + 1 < len(hints):
            self._say("note", "more_hints")

    def where(self) -> None:
        """Where both ends stand, and what is asked."""
        if self.finished:
            self._say("done", "is_finished")
        else:
            self._ask()

    def again(self) -> None:
        """This part once more. Raises CommandError when the lesson is over."""
        if self.finished:
            raise CommandError(self._words("is_finished"))
        self.at = self._part()
        self._leave()
        self._begin_part()

    # Judging

    def _seen(self, step: Step) -> Occasion | None:
        """What the step was for the lesson's connection; None where that is gone."""
        if self.play is None:
            return None
        before = self._before
        if step.standing is not None and step.standing.connection == self.play.name:
            self._before = Numbers(step.standing.lab.snd_nxt, step.standing.lab.rcv_nxt)
        if self.session.over:
            self._say("bad", "gone", message=self.session.over)
            return None
        return occasion(self.session, self.play, step, before)

    def _objects(self, step: Step) -> bool:
        """Say what the server did wrong. Whether it did."""
        wrong = [problem for problem in step.problems if problem.verdict is Verdict.VIOLATES]
        self.violated = self.violated or bool(wrong)
        for problem in wrong:
            message = problem.message.rstrip(".")
            self._say("bad", "server_wrong", message=message, rule=problem.section or "RFC 9293")
        return bool(wrong)

    def _holds(self, way: Way, seen: Occasion, words: str) -> bool:
        return holds(way.when, seen, self.known(), self.lesson.texts.answers.get(words, ()))

    def _ends(self, seen: Occasion, *, wronged: bool = False) -> bool:
        """Go on, if this is what the step asks for. Not that the server was right, where it was `wronged`."""
        for way in self.stage.fulfilled:
            if self._holds(way, seen, self.stage.id):
                self._goes_on(way, wronged=wronged)
                return True
        return False

    def _goes_on(self, way: Way, *, wronged: bool) -> None:
        key = f"right-{way.id}" if way.id else "right"
        if wronged:
            self._say("wrong", "all_the_same")
        else:
            self._say("right", f"{key}.{self.stage.id}")
        ids = [stage.id for stage in self.lesson.stages]
        self.at = ids.index(way.then) if way.then else self.at + 1
        self._hints, self._stale = 0, False
        if self.at == len(ids):
            self.at, self.finished = len(ids) - 1, True
            self._say("title", "summary_title")
            self._say("text", "summary")
            self._say("done", "finished")
        elif self.stage.begins is not None:
            self._begin_part()
        else:
            self._ask()

    def _explain(self, command: Command, step: Step, seen: Occasion) -> None:
        """What was not asked for, and what the server made of it."""
        if seen.lost:
            self._say("wrong", "lost")
            return
        if not seen.ours and not seen.calls:
            if self._possible():
                self._say("note", "still_open", ask=self._words(f"ask.{self.stage.id}"))
            return
        for way in self.stage.wrong:
            if self._holds(way, seen, ""):
                self._say("wrong", f"wrong.{self.stage.id}.{way.id}")
                break
        else:
            self._say("wrong", "not_that")
        if seen.arrived:
            answers = ", ".join(in_words(packet) for packet in seen.theirs)
            self._say("because", "answered" if answers else "silent", got=answers)
        if step.standing is not None and step.standing.why and (seen.arrived or seen.theirs):
            why = self.lesson.texts.why(step.standing.why)
            self._say("because", "explained", why=why, rule=step.standing.rule)

    def _look_after(self, seen: Occasion) -> None:
        """Where the step cannot be done here any more, begin its part on another connection."""
        if seen.lost:
            return
        if self._possible():
            if seen.ours or seen.calls:
                self._say("note", "still_possible", ask=self._words(f"ask.{self.stage.id}"))
            return
        self._say("note", "begins_again")
        self._leave()
        self._begin_part()

    def _possible(self) -> bool:
        """Whether both ends stand where the step begins."""
        stage = self._next_that_acts()
        if stage is None or self.play is None:
            return True
        connection, web = self.play.connection, self.play.web
        unspoken = web is None or web.state != "CONNECTING" or web.ours.at == 1
        return (
            (not stage.lab or connection.peer_state in stage.lab)
            and (not stage.server or connection.server_state in stage.server)
            and (not stage.web or (web is not None and web.state == stage.web and unspoken))
        )

    def _next_that_acts(self) -> Stage | None:
        for stage in self.lesson.stages[self.at :]:
            if stage.begins is not None and stage is not self.stage:
                return None
            if stage.acts:
                return stage
        return None

    # A part's beginning

    def _part(self) -> int:
        """The step with which this part begins."""
        return next(i for i in range(self.at, -1, -1) if self.lesson.stages[i].begins is not None)

    def _begin_part(self) -> None:
        """Bring a connection where the step begins: with real segments, shown as they go."""
        part = self._part()
        stages = self.lesson.stages[part : self.at]
        lines = [*(self.lesson.stages[part].begins or ())]
        lines += [line for stage in stages if stage.acts for line in stage.types]
        self._stale = False
        try:
            self.session.auto = False
            if lines or not self.session.hand.fresh:
                self._say("note", "lesson_types")
            if not self.session.hand.fresh and not (lines and lines[0].startswith("new")):
                lines.insert(0, "new")
            for line in lines:
                step = self.teller.types(line)
                self.play = self.session.hand
                self._objects(step)
            self.play = self.session.hand
            self._before = self._numbers()
        except (CommandError, Over) as error:
            self.play = self.session.hand
            self._say("bad", "cannot_begin", message=str(error).rstrip("."))
            return
        if not self._possible():
            self._say("bad", "cannot_begin", message=f"{self.play.connection.server_state}")
            return
        self._ask()

    def _leave(self) -> None:
        """Give up the connection that stands, so that the server's program does not take it for the next one."""
        play = self.play
        if play is None or play is not self.session.hand or play.fresh or not play.sent:
            return
        if play.connection.server_state not in (*NO_CONNECTION, State.TIME_WAIT):
            with suppress(CommandError, Over):
                self._objects(self.teller.types(self._reset(play)))

    @staticmethod
    def _reset(play: Play) -> str:
        """A RST that the server believes, whatever has become of our own end."""
        end, x = play.connection.conversation.server.best.endpoint, play.connection.peer_isn
        if end.irs is None or (play.peer.state not in NO_CONNECTION and play.peer.snd_nxt == end.rcv_nxt):
            return "rst"
        return f'send TCP(flags="R", seq=x{end.rcv_nxt.ahead_of(x):+d})'

    def _numbers(self) -> Numbers:
        if self.play is None:
            return Numbers()
        end, connection = self.play.connection.conversation.peer, self.play.connection
        y = connection.conversation.server_isn
        mine = end.snd_nxt.ahead_of(connection.peer_isn) if end.iss is not None else None
        return Numbers(mine, end.rcv_nxt.ahead_of(y) if y is not None and end.irs is not None else None)

    # Words

    def _ask(self) -> None:
        """Where both ends stand, each state explained where it is met first, and what is asked for."""
        assert self.play is not None
        self.session.auto = self.stage.auto
        if self.stage.acts or self.stage.begins is not None:
            self._say("where", "where")
            for state in (self.play.connection.peer_state, self.play.connection.server_state):
                if state not in self._explained:
                    self._explained.add(state)
                    self._say("where", "state", state=str(state), said=self.lesson.texts.states.get(str(state), ""))
        self._say("ask", "asks_question" if self.stage.question else "asks", ask=self._words(f"ask.{self.stage.id}"))

    def known(self) -> dict[str, str]:
        """What stands for the words in braces now."""
        known = values(self.session, self.play) if self.play is not None else {}
        known |= {"name": self.lesson.name, "step": str(self.at + 1), "steps": str(len(self.lesson.stages))}
        known["type"] = "`, `".join(line.format(**known) for line in self.stage.types)
        return known

    def _words(self, key: str, **more: str) -> str:
        return self.lesson.texts.own[key].format(**{**self.known(), **more})

    def _say(self, kind: Kind, key: str, **more: str) -> None:
        self.teller.says(kind, self._words(key, **more))
