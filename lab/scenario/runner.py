"""Running many scenarios at once: a process each, with a sandbox of its own where that is the testbed."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from lab import __version__
from lab.scenario.bench import PORTS, Family
from lab.scenario.declare import Scenario
from lab.scenario.errors import UsageError
from lab.scenario.guard import descriptors, stdout_to_stderr, words_of
from lab.scenario.needs import WEBSOCKET, Needs, offered, why_not
from lab.scenario.play import RATE_LIMIT, blank, play
from lab.scenario.record import Problem, Result, Run, Verdict
from lab.testbed.base import Testbed
from lab.testbed.errors import CannotRun
from lab.testbed.host import Host
from lab.testbed.namespaces import die_with
from lab.testbed.sandbox import Sandbox, Sandboxes
from lab.testbed.target import Target

TICK = 0.1
"""Seconds between two looks at the clock for whoever draws progress."""


AFTERLIFE = 1.0
"""Seconds that a run's process has to end in when it can say no more."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLOSED_OURS = 97
"""Exit code of a run's process that cannot hand over its result."""
_CLOSED = (
    "the script closed file descriptors that are not its own, the lab's among them",
    "mend the script: this says nothing about the server",
)


@dataclass(slots=True)
class Plan:
    """What to run, and where."""

    scenarios: Sequence[Scenario]
    families: tuple[Family, ...] = ("ipv4", "ipv6")
    testbed: str = "sandbox"
    """"sandbox", "host" or "target"."""
    testbed_options: dict[str, Any] = field(default_factory=dict)
    """For "sandbox": `serve`, `path` (another server than the lab's), `program`, `echoes` (`lab.scenario.needs`). For
    the others: what their `open()` takes."""
    seed: int = 0
    jobs: int | None = None
    """Runs at once; None for two for each processor and, besides, all that mostly wait for timers."""
    fail_fast: bool = False
    watch: bool = False
    """Whether results tell where each connection stood at every entry (`Result.moments`)."""


@dataclass(slots=True)
class _Running:
    process: multiprocessing.process.BaseProcess
    scenario: Scenario
    family: Family
    began: float


def run(
    plan: Plan,
    *,
    on_start: Callable[[str, str], None] = lambda name, family: None,
    on_result: Callable[[Result], None] = lambda result: None,
    on_tick: Callable[[], None] = lambda: None,
) -> Run:
    """Run every scenario of the plan over each of its families; results in the plan's order.

    Raises CannotRun where the testbed cannot be had at all, UsageError where there is nothing to run. On
    KeyboardInterrupt every process is ended before it goes on.
    """
    began = time.monotonic()
    done = Run(__version__, plan.testbed, os.uname().release, plan.seed)
    if plan.testbed != "sandbox":
        plan, done.kernel = _survey(plan, done.notes)
    elif plan.testbed_options.get("serve") and plan.testbed_options.get("program") is False:
        done.kernel = ""  # another stack than this machine's kernel
    families = plan.families
    todo = [(s, f) for s in plan.scenarios for f in families]
    if not todo:
        raise UsageError("nothing to run")
    order = {(s.name, f): i for i, (s, f) in enumerate(todo)}
    there = offered(plan.testbed, plan.testbed_options)
    # The longest first, so that the whole takes as long as its longest timer.
    todo.sort(key=lambda item: -item[0].takes)
    jobs = plan.jobs or 2 * (os.cpu_count() or 1) + sum(s.takes > 0 for s, _ in todo)
    running: dict[Pipe, _Running] = {}

    def finish(result: Result) -> None:
        done.results.append(result)
        on_result(result)

    sandboxes = Sandboxes() if plan.testbed == "sandbox" else None
    if any(s.needs in WEBSOCKET for s in plan.scenarios):
        import_module("lab.scenario.websocket")  # once, not in the process of each run
    try:
        while todo or running:
            while todo and len(running) < jobs:
                scenario, family = todo.pop(0)
                if scenario.needs not in there:
                    finish(_left_out(plan, scenario, family))
                    continue
                ports = PORTS if sandboxes else _share(order[scenario.name, family], len(order))
                pipe, one = _start(plan, sandboxes, scenario, family, wrap=family == families[0], ports=ports)
                running[pipe] = one
                on_start(scenario.name, family)
            for ready in wait(list(running), timeout=TICK):
                assert isinstance(ready, Pipe)
                result = _collect(ready, running.pop(ready))
                finish(result)
                if plan.fail_fast and result.verdict is Verdict.VIOLATES:
                    todo.clear()
                    _end(running)
            on_tick()
    finally:
        with _signals_held():  # a second Ctrl-C waits until nothing is left behind
            _end(running)
            if sandboxes is not None:
                sandboxes.close()
    done.results.sort(key=lambda r: order[r.name, r.family])
    done.seconds = time.monotonic() - began
    return done


def _survey(plan: Plan, notes: list[str]) -> tuple[Plan, str]:
    """Reach the server once, before anything is started on it, so that all runs share what was found.

    Returns the plan with the spare addresses that were found and without the families that cannot be had, and the
    server's kernel. Raises CannotRun where it cannot be reached.
    """
    with closing(open_testbed(plan)) as testbed:
        way = testbed.way
        limit = testbed.settings.get(RATE_LIMIT, "0")
        if limit != "0":
            notes.append(
                f"the server's kernel repeats some answers only every {limit} ms ({RATE_LIMIT}): where one of these "
                "does not come, nothing is concluded"
            )
        if isinstance(testbed, Target):
            testbed.knock()
        kernel = testbed.kernel
    families = tuple(f for f in plan.families if f in way.peer)
    missing = [
        f"{_NAMES[f]} left out: {way.missing.get(f, 'it was not found')}" for f in plan.families if f not in way.peer
    ]
    if not families:
        raise CannotRun("; ".join(missing), "")
    notes += missing
    return replace(plan, families=families, testbed_options={**plan.testbed_options, "spare": way.peer}), kernel


_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}


def open_testbed(plan: Plan) -> Host | Target:
    """The plan's testbed, where it is not the sandbox."""
    if plan.testbed == "host":
        return Host.open(**plan.testbed_options)
    return Target.open(**plan.testbed_options)


@contextmanager
def _signals_held() -> Iterator[None]:
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _share(number: int, runs: int) -> range:
    """The ports of one of so many runs against one server: none meets what another has left there in TIME-WAIT."""
    width = max(len(PORTS) // runs, 2)
    first = PORTS.start + number * width % (len(PORTS) - width + 1)
    return range(first, first + width)


def _start(
    plan: Plan, sandboxes: Sandboxes | None, scenario: Scenario, family: Family, *, wrap: bool, ports: range
) -> tuple[Pipe, _Running]:
    channel: socket.socket | None = None
    if sandboxes is not None:
        options = plan.testbed_options
        speaks = scenario.needs in WEBSOCKET
        channel = sandboxes.request(serve=options.get("serve"), path=options.get("path", ()), websocket=speaks)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    process = context.Process(
        target=_work, args=(plan, channel, scenario, family, wrap, ports, theirs, os.getpid()), daemon=True
    )
    if sys.stdout is not None:
        sys.stdout.flush()
    with _signals_held():  # until it ignores them: a Ctrl-C would end the new process with a traceback
        process.start()
    theirs.close()
    if channel is not None:
        channel.close()
    return ours, _Running(process, scenario, family, time.monotonic())


def _work(
    plan: Plan,
    channel: socket.socket | None,
    scenario: Scenario,
    family: Family,
    wrap: bool,
    ports: range,
    pipe: Pipe,
    parent: int,
) -> None:
    """The life of one run's process."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    stdout_to_stderr()
    try:
        result = _result(plan, channel, scenario, family, wrap, ports)
    except CannotRun as error:
        result = _cannot(scenario, family, error)
    except BaseException as error:
        result = _inconclusive(
            scenario, family, f"the lab could not finish this run: {words_of(error)}{_where(error)}",
            "run it again, and report it if it comes back",
        )  # fmt: skip
    try:
        pipe.send(result)
    except Exception:  # the pipe is gone
        os._exit(_CLOSED_OURS)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever the script made of it
            stream.flush()
    # At once: threads that the script left behind may never end.
    os._exit(0)


def _result(
    plan: Plan, channel: socket.socket | None, scenario: Scenario, family: Family, wrap: bool, ports: range
) -> Result:
    testbed: Testbed = Sandbox.adopt(channel) if channel is not None else open_testbed(plan)
    process, lent = os.getpid(), descriptors()
    try:
        result = play(
            scenario, testbed, family, seed=plan.seed, wrap=wrap, alone=channel is not None, ports=ports,
            watch=plan.watch,
        )  # fmt: skip
    except BaseException:
        if lent.items() <= descriptors().items():
            raise
    else:
        if os.getpid() != process:
            os._exit(0)  # the script forked: its child has nothing to say
        if lent.items() <= descriptors().items():
            return result
    finally:
        with suppress(OSError):
            testbed.close()
    return _inconclusive(scenario, family, *_CLOSED)


def _collect(pipe: Pipe, one: _Running) -> Result:
    try:
        result: Result = pipe.recv()
    except Exception as error:  # the end of the pipe; or what a script wrote into it
        code = _exit_code(one.process)
        if code is None or code == _CLOSED_OURS or not isinstance(error, EOFError):
            one.process.kill()
            words = _CLOSED
        else:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            words = f"the process that ran this scenario {how}", "run it again"
        result = _inconclusive(one.scenario, one.family, *words)
        result.seconds = time.monotonic() - one.began
    pipe.close()
    one.process.join()
    one.process.close()
    return result


def _exit_code(process: multiprocessing.process.BaseProcess) -> int | None:
    """How the process ended, None where it has not within AFTERLIFE.

    `Process.join(timeout)` would take its pipe's end for its own, which a script that closes descriptors brings about.
    """
    assert process.pid is not None
    watch = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        if not poll.poll(AFTERLIFE * 1000):
            return None
    finally:
        os.close(watch)
    process.join()
    return process.exitcode


def _inconclusive(scenario: Scenario, family: Family, message: str, next_step: str) -> Result:
    result = blank(scenario, family, Verdict.INCONCLUSIVE)
    result.problems.append(
        Problem(Verdict.INCONCLUSIVE, message, file=result.file, line=scenario.line, next_step=next_step)
    )
    return result


def _where(error: BaseException) -> str:
    """The line of the lab that raised it, for a report of the lab's mistakes."""
    places = traceback.extract_tb(error.__traceback__)
    return f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""


def _end(running: dict[Pipe, _Running]) -> None:
    for pipe, one in running.items():
        one.process.kill()
        one.process.join()
        one.process.close()
        pipe.close()
    running.clear()


def _cannot(scenario: Scenario, family: Family, error: CannotRun) -> Result:
    result = blank(scenario, family, Verdict.CANNOT_RUN)
    result.problems.append(Problem(Verdict.CANNOT_RUN, error.message, next_step=error.next_step))
    return result


def _left_out(plan: Plan, scenario: Scenario, family: Family) -> Result:
    result = blank(scenario, family, Verdict.CANNOT_RUN)
    next_step = "run it with --testbed sandbox, or --testbed host against `lab serve`"
    if plan.testbed == "sandbox":
        next_step = "leave --served-by out, and the lab's own server plays it"
        if scenario.needs in WEBSOCKET and plan.testbed_options.get("program") is False:
            next_step = "for a WebSocket server of yours write FUNCTION as `async def serve(reader, writer)`"
    if scenario.needs is Needs.ECHO and Needs.WEBSOCKET in offered(plan.testbed, plan.testbed_options):
        next_step = "say --echo if this server sends each message back"
    result.problems.append(
        Problem(
            Verdict.CANNOT_RUN,
            f"this server cannot play it: {why_not(scenario.needs).partition(': ')[0]}",
            next_step=next_step,
        )
    )
    return result
