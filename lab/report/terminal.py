"""The terminal's view of a run: live progress, then verdicts, ladders of what did not conform, and a summary."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lab.report.ladder import NARROWEST, ladder
from lab.report.problem import problem_lines
from lab.report.text import (
    ASCII,
    FAMILIES,
    UNICODE,
    Glyphs,
    Line,
    ascii_text,
    count,
    cut,
    mark,
    printable,
    seconds,
    width_of,
    wrapped,
)
from lab.scenario.record import Problem, Result, Run, Verdict

STYLES = {
    "": "",
    "dim": "dim",
    "head": "bold",
    "peer": "cyan",
    "server": "magenta",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "call": "yellow",
}
"""What the style names of `lab.report.text` look like here."""

IN_FULL = (Verdict.VIOLATES, Verdict.INCONCLUSIVE)
"""Verdicts whose ladder is shown unasked."""

_REFRESH = 0.08
"""Seconds between two drawings of the progress, at least."""


class _Console(Console):
    """A console whose reader may go away without that looking like exit code 1, a violation."""

    def on_broken_pipe(self) -> None:
        """Leave it to `lab.cli.ends`, where Rich would end the process with 1."""
        raise BrokenPipeError


class Screen:
    """Prints lines of spans: in colour on a terminal that has it, in ASCII where the encoding has no more."""

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        self.console = _Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False, markup=False, width=width)
        self.unicode = self.console.encoding.lower().startswith("utf")
        self.glyphs: Glyphs = UNICODE if self.unicode else ASCII

    @property
    def width(self) -> int:
        """Columns to fill: the terminal's, 60 at least."""
        return max(self.console.width, NARROWEST)

    def text(self, line: Line) -> Text:
        """A line as Rich prints it."""
        text = Text(no_wrap=True, overflow="ignore", end="")
        for piece, style in line:
            piece = printable(piece)
            text.append(piece if self.unicode else ascii_text(piece), STYLES[style])
        text.rstrip()
        return text

    def show(self, lines: Iterable[Line]) -> None:
        """Print the lines. Raises OSError where the output takes no more."""
        for line in lines:
            self.console.print(self.text(line), soft_wrap=True)


class Progress:
    """What is under way, in two lines at the bottom of a terminal; silent where there is none.

    It starts no thread: `on_start`, `on_result` and `on_tick` draw it anew.
    """

    def __init__(self, screen: Screen, total: int, *, shown: bool | None = None) -> None:
        self.screen = screen
        self.total = total
        self.shown = screen.console.is_terminal and not screen.console.is_dumb_terminal if shown is None else shown
        self.done = 0
        self.verdicts: Counter[Verdict] = Counter()
        self.running: dict[tuple[str, str], float] = {}
        self._began = time.monotonic()
        self._drawn = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self.shown:
            self._live = Live(
                console=self.screen.console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_start(self, name: str, family: str) -> None:
        """A run begins."""
        self.running[name, family] = time.monotonic()
        self.on_tick()

    def on_result(self, result: Result) -> None:
        """A run has ended."""
        self.running.pop((result.name, result.family), None)
        self.done += 1
        self.verdicts[result.verdict] += 1
        self.on_tick()

    def on_tick(self) -> None:
        """Some time has passed."""
        now = time.monotonic()
        if self._live is None or now - self._drawn < _REFRESH:
            return
        self._drawn = now
        lines = [self.screen.text(line) for line in self.lines(now)]
        self._live.update(Text("\n").join(lines), refresh=True)

    def lines(self, now: float) -> list[Line]:
        """The bar with the verdicts so far, and what has been running longest."""
        glyphs = self.screen.glyphs
        width = self.screen.console.width - 1
        words: Line = [(f"{self.done} of {self.total}", "head"), (f"  {now - self._began:.1f} s", "dim")]
        for verdict in Verdict:
            if self.verdicts[verdict]:
                _, style = mark(verdict, glyphs)
                words.append((f"  {self.verdicts[verdict]} {told(verdict, self.verdicts[verdict])}", style))
        room = max(min(width - width_of(words) - 2, 40), 0)
        full = room * self.done // self.total if self.total else 0
        first: Line = [(glyphs.bar * full, "good"), (glyphs.dash * (room - full), "dim"), ("  ", ""), *words]
        longest = sorted(self.running.items(), key=lambda item: item[1])
        names = [f"{name} {FAMILIES[family]} {now - since:.0f} s" for (name, family), since in longest]
        return [first, [(cut(", ".join(names) or "starting", width, glyphs), "dim")]]


def told(verdict: Verdict, number: int) -> str:
    """The verdict as a verb after a count: "1 conforms", "2 conform"."""
    plural = {
        Verdict.CONFORMS: "conform",
        Verdict.DEVIATES: "deviate",
        Verdict.VIOLATES: "violate",
    }
    return str(verdict) if number == 1 else plural.get(verdict, str(verdict))


def report(
    run: Run, *, width: int = 80, glyphs: Glyphs = UNICODE, verbose: bool = False, notes: Sequence[str] = ()
) -> list[Line]:
    """All that is told of a run when it is over: verdicts by folder, what did not conform in full, the summary last.

    `verbose`: every ladder. `notes`: sentences below the summary.
    """
    lines = verdicts(run, width=width, glyphs=glyphs)
    lines += details(run, width=width, glyphs=glyphs, verbose=verbose)
    return lines + summary(run, width=width, glyphs=glyphs, notes=notes)


def verdicts(run: Run, *, width: int = 80, glyphs: Glyphs = UNICODE) -> list[Line]:
    """A line for each scenario under its folder's name; two where the address families fared differently."""
    scenarios: dict[str, list[Result]] = defaultdict(list)
    for result in run.results:
        scenarios[result.name].append(result)
    name_width = min(max((len(n.rpartition("/")[2]) for n in scenarios), default=0), 34, width // 2)
    lines: list[Line] = []
    folder: str | None = None
    reasons: list[str] = []
    for name in sorted(scenarios, key=lambda n: n.rpartition("/")[::2]):
        head, _, tail = name.rpartition("/")
        if head != folder:
            folder = head
            lines += [[], [(head or "scenarios", "head")]]
        results = sorted(scenarios[name], key=lambda r: r.family)
        if len({r.verdict for r in results}) == 1:
            lines.append(_verdict(tail, results, "", name_width, width, glyphs))
            lines += remark_lines(results, width) + _reasons(results, width, reasons)
        else:
            for result in results:
                lines.append(_verdict(tail, [result], FAMILIES[result.family], name_width, width, glyphs))
                lines += remark_lines([result], width) + _reasons([result], width, reasons)
    return [*lines[1:], []] if lines else []


def _verdict(name: str, results: list[Result], family: str, name_width: int, width: int, glyphs: Glyphs) -> Line:
    result = results[0]
    sign, style = mark(result.verdict, glyphs)
    word = "" if result.verdict is Verdict.CONFORMS else f"{result.verdict}  "
    word = f"{family} {word}" if family and word else f"{family}  " if family else word
    end = seconds(max(r.seconds for r in results)).rjust(7)
    line: Line = [("  ", ""), (sign, style), (f" {cut(name, name_width, glyphs).ljust(name_width)}", "")]
    room = width - width_of(line) - len(word) - len(end) - 4
    title = cut(result.title, room, glyphs) if room >= 12 else ""
    line += [(f"  {title.ljust(max(room, 0))}  ", "dim"), (word, style), (end, "dim")]
    return line


def remark_lines(results: list[Result], width: int) -> list[Line]:
    """Choices of the stack and known deviations, with their source."""
    lines: list[Line] = []
    for remark in {r.choice: r for result in results for r in result.remarks}.values():
        section = "" if remark.source.startswith(remark.section) else remark.section
        where = "; ".join(x for x in (section, remark.source) if x)
        text = f"{remark.verdict}: {remark.says.rstrip('.')}" + (f" ({where})" if where else "")
        style = "warn" if remark.verdict is Verdict.DEVIATES else "dim"
        lines += wrapped(text, width, style=style, first="      ", then="        ")
    return lines


def _reasons(results: list[Result], width: int, told: list[str]) -> list[Line]:
    """Why these could not be run, and what to do; nothing where that is what was told last."""
    problems = [p for r in results for p in r.problems if p.verdict is Verdict.CANNOT_RUN]
    now = list(dict.fromkeys(_with_next_step(p) for p in problems))
    if not now or now == told:
        return []
    told[:] = now
    return [line for reason in now for line in wrapped(reason, width, style="dim", first="      ", whole=True)]


def _with_next_step(problem: Problem) -> str:
    if problem.next_step in problem.message:
        return problem.message
    return f"{problem.message}{' ' if problem.message.endswith(('.', ':')) else ': '}{problem.next_step}"


def details(run: Run, *, width: int = 80, glyphs: Glyphs = UNICODE, verbose: bool = False) -> list[Line]:
    """The ladders and problems of the runs that did not conform; of all of them when `verbose`."""
    lines: list[Line] = []
    legend = True
    told: dict[object, Result] = {}
    for result in sorted(run.results, key=lambda r: (r.name.rpartition("/")[::2], r.family)):
        if not verbose and result.verdict not in IN_FULL:
            continue
        alike = result.name, result.verdict, tuple((p.message, p.line, p.expected, p.observed) for p in result.problems)
        if not verbose and alike in told:
            first = FAMILIES[told[alike].family]
            capture = f" (capture: {result.capture})" if result.capture else ""
            text = f"The same over {FAMILIES[result.family]} as over {first}{capture}; --verbose shows it."
            lines += [*wrapped(text, width, style="dim", whole=True), []]
            continue
        told[alike] = result
        lines += [[(glyphs.dash * min(width, 120), "dim")], *ladder(result, width=width, glyphs=glyphs, legend=legend)]
        lines.append([])
        legend = verbose is False
        for problem in result.problems:
            lines += [*problem_lines(problem, result, width=min(width, 100), glyphs=glyphs), []]
    return lines


def summary(run: Run, *, width: int = 80, glyphs: Glyphs = UNICODE, notes: Sequence[str] = ()) -> list[Line]:
    """How many runs got which verdict, in what time, on what ground; the notes below."""
    lines: list[Line] = []
    scenarios = len({r.name for r in run.results})
    if not run.results:
        lines.append([("nothing was run", "warn")])
    else:
        counts: Line = []
        for verdict, number in run.summary.items():
            _, style = mark(verdict, glyphs)
            counts += [(", " if counts else "", ""), (f"{number} {told(verdict, number)}", style)]
        runs = f"{count(scenarios, 'scenario')}, {count(len(run.results), 'run')} in {seconds(run.seconds)}: "
        one: Line = [(runs, "head"), *counts]
        lines += [one] if width_of(one) <= width else [[(runs.rstrip(), "head")], [("  ", ""), *counts]]
    families = " and ".join(FAMILIES[f] for f in sorted({r.family for r in run.results}))
    kernel = f"Linux {run.kernel}" if run.kernel[:1].isdigit() else run.kernel
    ground = [f"testbed {run.testbed}", kernel, families, f"seed {run.seed}"]
    lines += wrapped(f" {glyphs.dot} ".join(x for x in ground if x), width, style="dim")
    for note in notes:
        lines += wrapped(note, width, style="dim", whole=True)
    return lines
