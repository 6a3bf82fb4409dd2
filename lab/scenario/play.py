"""Playing one scenario on one testbed, and making a verdict of what was seen."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.scenario.bench import PORTS, Bench, Family, shown
from lab.scenario.declare import Scenario
from lab.scenario.errors import LabError, ScenarioError, Stopped
from lab.scenario.guard import asked_to_end, mistakes_in_threads, words_of
from lab.scenario.peer import Peer
from lab.scenario.record import Call, Packet, Problem, Remark, Result, Verdict, remark
from lab.scenario.server import Server
from lab.scenario.watch import Watch
from lab.server.client import AgentError, AgentGone
from lab.tcp.profile import CHOICES, FRUGAL, LINUX_EARLIER, MITIGATED, RFC9293, Profile, linux
from lab.testbed.base import Testbed
from lab.testbed.errors import CannotRun
from lab.wire.errors import LinkError
from lab.wire.scapy_side import in_scapy

RATE_LIMIT = "net.ipv4.tcp_invalid_ratelimit"
UNKNOWN_KERNEL = {RATE_LIMIT: "500"}
"""What to expect of a kernel that nobody can ask: its defaults (milliseconds)."""


def profiles(testbed: Testbed) -> tuple[Profile, ...]:
    """What the server may be, the plainest first: the documents' own words, what they permit, Linux as it is set."""
    settings = testbed.settings if testbed.agent is not None else UNKNOWN_KERNEL
    return RFC9293, MITIGATED, linux(settings), LINUX_EARLIER, FRUGAL


def blank(scenario: Scenario, family: Family, verdict: Verdict) -> Result:
    """A result in which nothing has happened yet."""
    return Result(
        name=scenario.name,
        title=scenario.title,
        family=family,
        verdict=verdict,
        description=scenario.description,
        documents=scenario.documents,
        evidence_for=scenario.evidence_for,
        file=shown(scenario.path),
    )


def play(
    scenario: Scenario,
    testbed: Testbed,
    family: Family,
    *,
    seed: int,
    wrap: bool,
    alone: bool = False,
    ports: range = PORTS,
    on_entry: Callable[[Packet | Call], None] | None = None,
    watch: bool = False,
) -> Result:
    """Run the script once. Never raises for anything the server, the network or the script does: the result says it.

    `alone` and `ports` are the bench's. `watch`: with the result's `moments`.
    """
    result = blank(scenario, family, Verdict.INCONCLUSIVE)
    began = time.monotonic()
    bench = Bench(
        testbed,
        family,
        profiles=profiles(testbed),
        chance=random.Random(f"{seed} {scenario.name} {family}"),
        wrap=wrap,
        script=scenario.path,
        alone=alone,
        ports=ports,
        on_entry=on_entry,
    )
    watching = Watch(bench) if watch else None
    result.peer_address, result.server_address = bench.peer_address, bench.server_address
    first = bench.connection()
    before = testbed.link.statistics()
    unlinked: Problem | None = None
    try:
        with mistakes_in_threads() as in_threads:
            scenario.function(Peer(bench, first), Server(bench, first))
            for end in bench.driven:
                end.at_end()
            bench.await_ends()
            bench.settle()
    except Stopped as stopped:
        if not any(stopped.problem is one for one in bench.problems):  # the bench has on record what it raised
            bench.problems.append(_mistake(stopped, scenario))
    except AgentGone:
        pass  # said below, first of all
    except (AgentError, LinkError, CannotRun, LabError) as error:
        bench.problems.append(_problem_of(error, scenario))
        unlinked = bench.problems[-1] if isinstance(error, LinkError) else None
    except BaseException as error:  # the script's own mistake: say where, never as a traceback
        if asked_to_end(error):
            raise
        bench.problems.append(_mistake(error, scenario))
    _tell_faults(bench)
    bench.problems += [
        _mistake(e, scenario, "a thread of the script") for e in in_threads if not isinstance(e, Stopped)
    ]
    if (gone := agent_gone(testbed, bench.problems)) is not None:
        if testbed.name == "sandbox":  # the interface went with it: there is none to bring up again
            bench.problems[:] = [problem for problem in bench.problems if problem is not unlinked]
        # A server whose process ends resets what it held: that says nothing about how it speaks TCP.
        bench.problems.insert(0, _problem_of(gone, scenario))
        if testbed.name == "sandbox":
            bench.problems[0].next_step = "see whether something killed the sandbox's helper process, and run again"
        _renumber(bench.timeline)
    conclude(result, bench, before)
    result.seconds = time.monotonic() - began
    if watching is not None:
        result.moments = watching.moments()
    return result


def conclude(result: Result, bench: Bench, before: tuple[int, int]) -> None:
    """Make a result of what the bench has on record; `before` are the link's statistics when it began."""
    try:
        after = bench.testbed.link.statistics()
    except LinkError as error:
        after = before
        bench.problems.append(Problem(Verdict.INCONCLUSIVE, str(error), file=result.file))
    result.captured, result.dropped = after[0] - before[0], after[1] - before[1]
    if result.dropped:
        bench.problems.insert(0, _lost(result.dropped))
        _renumber(bench.timeline)
    result.timeline, result.problems = bench.timeline, bench.problems
    result.checks, result.silence = bench.checks, bench.silence
    result.witnesses = tuple(w for w in ("wire", "socket", "model") if w in bench.witnesses)
    result.isns = {c.name: (int(c.peer_isn), _plain(c.conversation.server_isn)) for c in bench.connections.values()}
    result.remarks = _remarks(bench)
    result.verdict = _verdict(result, bench)


def _tell_faults(bench: Bench) -> None:
    """Where a run went wrong and the server's program, the user's own, had raised something: that comes first."""
    if not bench.problems or not bench.untold or bench.testbed.agent is None:
        return
    with suppress(AgentError, AgentGone):
        for fault in reversed(bench.testbed.agent.faults()):
            bench.say("note", f"the server's program raised {fault}")
            bench.problems[0].next_step = f"look at the server's program first: it raised {fault}"


def agent_gone(testbed: Testbed, problems: list[Problem]) -> AgentGone | None:
    """The agent's end, where it ended before the run did. A run without a problem need not ask."""
    if testbed.agent is None or (testbed.agent.alive and not problems):
        return None
    try:
        testbed.agent.ping()
    except AgentGone as gone:
        return gone
    except AgentError:
        return None
    return None


def _renumber(timeline: list[Packet | Call]) -> None:
    """A problem was put before the others: packets that point to one point one further."""
    for entry in timeline:
        if isinstance(entry, Packet) and entry.problem is not None:
            entry.problem += 1


def _plain(number: int | None) -> int | None:
    return None if number is None else int(number)


def _verdict(result: Result, bench: Bench) -> Verdict:
    kinds = {problem.verdict for problem in result.problems}
    for verdict in (Verdict.CANNOT_RUN, Verdict.INCONCLUSIVE, Verdict.VIOLATES):
        if verdict in kinds:
            return verdict
    if "wire" not in bench.witnesses:
        # A check that passes because nothing was seen is none.
        result.problems.append(
            Problem(
                Verdict.INCONCLUSIVE, "the server sent nothing at all, so nothing was verified",
                next_step="see whether the script sends anything that must be answered",
            )
        )  # fmt: skip
        return Verdict.INCONCLUSIVE
    remarks = {remark.verdict for remark in result.remarks}
    for verdict in (Verdict.DEVIATES, Verdict.PERMITTED):
        if verdict in remarks:
            return verdict
    return Verdict.CONFORMS


def _remarks(bench: Bench) -> list[Remark]:
    used = dict.fromkeys(choice for c in bench.connections.values() for choice in c.conversation.server.best.choices)
    return [*(remark(CHOICES[name]) for name in used), *bench.remarks]


def _problem_of(error: Exception, scenario: Scenario) -> Problem:
    if isinstance(error, ScenarioError):
        return _mistake(error, scenario)
    verdict = Verdict.CANNOT_RUN if isinstance(error, CannotRun) else Verdict.INCONCLUSIVE
    message = getattr(error, "message", str(error))
    next_step = getattr(error, "next_step", "")
    if isinstance(error, AgentGone):
        message = f"the server's agent vanished in the middle of the run ({error})" if str(error) else (
            "the server's agent vanished in the middle of the run"
        )  # fmt: skip
        next_step = "see whether the server still runs, and run again"
    return Problem(verdict, message, next_step=next_step, file=shown(scenario.path), line=_line(error, scenario.path))


def _mistake(error: BaseException, scenario: Scenario, who: str = "the script itself") -> Problem:
    line = _line(error, scenario.path)
    message = str(error) if isinstance(error, ScenarioError) else in_scapy(error) or words_of(error)
    return Problem(
        Verdict.INCONCLUSIVE,
        f"{who} failed: {message}",
        file=shown(scenario.path),
        line=line or scenario.line,
        source=_source(scenario, line),
        next_step="mend the script: this says nothing about the server",
    )


def _source(scenario: Scenario, line: int) -> str:
    """A line of the script, "" where there is none any more."""
    with suppress(OSError, ValueError, SyntaxError, IndexError):
        if line:
            return scenario.source.splitlines()[line - 1].strip()
    return ""


def _line(error: BaseException, path: Path) -> int:
    places = [f.lineno or 0 for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return places[-1] if places else 0


def _lost(count: int) -> Problem:
    return Problem(
        Verdict.INCONCLUSIVE,
        f"the kernel had to drop {count} captured frame{'s' * (count > 1)}: what the server sent is not all known",
        next_step="run fewer scenarios at once (--jobs), or as root for a larger buffer",
    )
