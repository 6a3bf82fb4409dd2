"""A run that is over, shown entry by entry as a session shows its steps: the script's line, the ladder, the panel."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from lab.explore.view import panel, websocket_in_words
from lab.explore.web import Web
from lab.report.carried import carried
from lab.report.ladder import GrowingLadder, heading
from lab.report.problem import problem_lines
from lab.report.rungs import beside_the_point, failures_of, in_short
from lab.report.terminal import remark_lines
from lab.report.text import Glyphs, Line, count, cut, mark, seconds
from lab.scenario.declare import Scenario
from lab.scenario.needs import WEBSOCKET
from lab.scenario.record import DELAYED, LOST, Call, Moment, Packet, Problem, Result, Standing
from lab.scenario.server import Site

OTHERWISE = ", as the document leaves it open"
"""Said of a move that may be answered in more than one way."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One entry as it is shown."""

    entry: Packet | Call
    moment: Moment
    websocket: str
    """Where the WebSocket on its connection stood then, "" for none."""


class Film:
    """The shots of one run, in order. The ladder grows with what is drawn, so draw each shot behind the one before it,
    or behind `anew`.
    """

    def __init__(self, result: Result, scenario: Scenario, glyphs: Glyphs) -> None:
        """`result` must have been watched (`Plan.watch`)."""
        self.result = result
        self.glyphs = glyphs
        self._name = result.name
        self._statements = statements(scenario.source)
        self._read = carried(result)
        self.shots = list(_shots(result, websocket=scenario.needs in WEBSOCKET))
        self._ladder = self._new_ladder()
        self._panel: list[Line] = []
        """The last panel."""
        self._told: list[Problem] = []

    def __len__(self) -> int:
        return len(self.shots)

    def _new_ladder(self) -> GrowingLadder:
        return GrowingLadder(pauses=True, read=self._read)

    def time(self, number: int) -> float:
        """When a shot's entry happened, in seconds since the run began. `number` counts from 0, as it does below."""
        return self.shots[number].entry.time

    def head(self, width: int) -> list[Line]:
        """Who the two ends are; what came of it is left for the end."""
        named = heading(self.result, width=width, glyphs=self.glyphs, verdict_too=False)
        return [*named, [], self._columns(width)]

    def _columns(self, width: int) -> Line:
        return self._ladder.columns(self.result, width=width, glyphs=self.glyphs)

    def rows(self, number: int, width: int) -> list[Line]:
        """What the ladder grows by, and nothing else."""
        return self._ladder.lines([self.shots[number].entry], self.result, width=width, glyphs=self.glyphs)

    def shot(self, number: int, width: int, *, below: bool = True, room: int | None = None) -> list[Line]:
        """The line of the script, what the ladder grows by, what failed; and `below`, where both ends stood.

        Where they stand as they did the last time, this is said and nothing more. What is not legal is left out where
        all would take more than `room` lines.
        """
        shot, failed = self.shots[number], self.failed(number)
        lines = [self._place(shot.moment.line, width), *self.rows(number, width)]
        for problem in failed:
            lines += [[], *problem_lines(problem, self.result, width=min(width, 100), glyphs=self.glyphs)]
            self._told.append(problem)
        if not below:
            return lines
        standing = shot.moment.standing
        if failed and not standing.objection:
            standing = replace(standing, objection=in_short(failed[0], self.glyphs))
        drawn = self._drawn(standing, shot, width)
        before, self._panel = self._panel, drawn
        if before == drawn:
            return [*lines, [("  both ends stand as before", "dim")], []]
        if room is not None and len(lines) + len(drawn) + 2 > room:
            few = "not legal: left out, this terminal has few rows"
            drawn = [*self._drawn(replace(standing, illegal=()), shot, width), [(f"  {few}", "dim")]]
        return [*lines, [], *drawn, []]

    def _drawn(self, standing: Standing, shot: Shot, width: int) -> list[Line]:
        return panel(standing, width=width, glyphs=self.glyphs, websocket=shot.websocket, more=OTHERWISE)

    def anew(self, number: int, width: int) -> list[Line]:
        """Begin again with the lifelines' names and the ladder before this shot, which is to be drawn next."""
        self._ladder, self._panel = self._new_ladder(), []
        lines = [self._columns(width)]
        for i in range(number):
            lines += self.rows(i, width)
        return lines

    def failed(self, number: int) -> list[Problem]:
        """The problems that concern a shot's packet."""
        entry = self.shots[number].entry
        return failures_of(entry, self.result) if isinstance(entry, Packet) else []

    def close(self, width: int, *, seed: int) -> list[Line]:
        """What came of the run: its verdict, its remarks, and each problem that no shot has told."""
        result = self.result
        sign, style = mark(result.verdict, self.glyphs)
        lines: list[Line] = [[(f"{sign} {result.verdict}", style)], *remark_lines([result], width)]
        for problem in result.problems:
            if not any(problem is one for one in self._told):
                lines += [*problem_lines(problem, result, width=min(width, 100), glyphs=self.glyphs), []]
        witnesses = ", ".join(result.witnesses) or "none"
        checks = count(result.checks, "check")
        lines.append([(f"{checks} in {seconds(result.seconds)}; witnesses: {witnesses}; seed {seed}", "dim")])
        return lines

    def _place(self, line: int, width: int) -> Line:
        """The statement of the script that was at work."""
        if not line:
            return [("the script is at its end", "dim")]
        first, text = self._statements.get(line, (line, ""))
        place = f"{self._name}.py:{first}"
        if len(place) + len(text) + 2 > width:
            place = place.rpartition("/")[2]
        place = cut(place, width - 2, self.glyphs)
        return [(place, "dim"), ("  ", ""), (cut(text, width - len(place) - 2, self.glyphs), "head")]


def _shots(result: Result, *, websocket: bool) -> Iterable[Shot]:
    """The entries that the ladder shows; with `websocket`, what both ends have said of it until then."""
    webs: dict[str, Web] = {}
    for entry, moment in zip(result.timeline, result.moments, strict=True):
        name = moment.standing.connection
        if websocket and isinstance(entry, Packet) and entry.segment is not None and entry.connection:
            web = webs.setdefault(entry.connection, Web(Site("", "", 0)))
            if entry.note not in (LOST, DELAYED) and entry.sender in ("peer", "server"):
                web.follows(entry, lambda finding: None)  # what was found is on record already
        if beside_the_point(entry, result):
            continue
        said = websocket_in_words(webs[name], entry.time, hints=False) if name in webs else ""
        yield Shot(entry, moment, said)


def statements(source: str) -> dict[int, tuple[int, str]]:
    """For each line of a script the statement that it belongs to, the innermost: its first line, and it as one line.

    Of one with others inside, a `with` say, its head alone.
    """
    found: dict[int, tuple[int, str]] = {}
    lines = source.splitlines()
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(source)):  # the outer ones come first
            if not isinstance(node, ast.stmt):
                continue
            inside = getattr(node, "body", None)
            end = max(node.lineno, inside[0].lineno - 1) if inside else node.end_lineno or node.lineno
            text = " ".join(line.strip() for line in lines[node.lineno - 1 : end])
            found.update(dict.fromkeys(range(node.lineno, end + 1), (node.lineno, text)))
    return found
