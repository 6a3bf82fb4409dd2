"""A runner in the place of the real one, so that the command line is tried without a network."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lab.cli.commands import app
from lab.scenario import record
from lab.scenario.record import Verdict

SCENARIO = '''\
"""A story."""

from scapy.layers.inet import TCP

from lab.scenario.declare import scenario


@scenario("{title}", documents=["RFC 9293 §3.5"], slow={slow}, takes={takes}, needs="{needs}")
def story(peer, server):
    """What happens, in two
    lines."""
    peer.send(TCP(flags="S"))
'''


@dataclass
class FakeRunner:
    """Takes a plan and gives the verdicts it was told to give."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    plans: list[Any] = field(default_factory=list)
    raises: BaseException | None = None
    after: int = 0
    """How many results come before it raises."""

    def run(
        self,
        plan: Any,
        *,
        on_start: Callable[[str, str], None] = lambda name, family: None,
        on_result: Callable[[record.Result], None] = lambda result: None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> record.Run:
        """As `lab.scenario.runner.run`."""
        self.plans.append(plan)
        results: list[record.Result] = []
        for scenario in plan.scenarios:
            for family in plan.families:
                if self.raises is not None and len(results) == self.after:
                    raise self.raises
                on_start(scenario.name, family)
                results.append(self.result(scenario, family))
                on_tick()
                on_result(results[-1])
        return record.Run("0.1.0", plan.testbed, "6.1.0", plan.seed, results, 0.5)

    def result(self, scenario: Any, family: str) -> record.Result:
        """One packet, and a problem where the verdict needs one."""
        verdict = self.verdicts.get(scenario.name, Verdict.CONFORMS)
        result = record.Result(scenario.name, scenario.title, family, verdict)  # type: ignore[arg-type]
        result.timeline = [record.Packet(1, 0.1, 1_700_000_000.1, "server", bytes(60), summary="a frame")]
        if verdict in (Verdict.VIOLATES, Verdict.INCONCLUSIVE, Verdict.CANNOT_RUN):
            result.problems = [record.Problem(verdict, "something was not as it should be", field="flags")]
        return result


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """`lab run` takes SIGTERM over; pytest gets it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three scenarios in place of the lab's own, and an empty folder to work in."""
    root = tmp_path / "scenarios"
    for name, slow, takes, needs in (
        ("handshake/first", False, 0.0, "agent"),
        ("handshake/open_ended", False, 0.0, "listener"),
        ("teardown/long", True, 61.0, "agent"),
    ):
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = f"The story of {path.stem}"
        path.write_text(SCENARIO.format(title=title, slow=slow, takes=takes, needs=needs))
    monkeypatch.setattr("lab.scenario.catalogue.home", lambda: root)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name in ("TESTBED", "INTERFACE", "ADDRESS", "AGENT", "TOKEN", "TOKEN_FILE", "TARGET", "GATEWAY", "SEED", "OUT"):
        monkeypatch.delenv(f"LAB_{name}", raising=False)
    return root


@pytest.fixture
def runner(home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """The runner that is no runner."""
    fake = FakeRunner()
    monkeypatch.setattr("lab.scenario.runner.run", fake.run)
    return fake


@pytest.fixture
def lab() -> Callable[..., Result]:
    """`lab("run", "--json")`: the command in this process; look at `.exit_code`, `.stdout`, `.stderr`."""

    def call(*words: str, **environment: str) -> Result:
        return CliRunner().invoke(app, list(words), env={"COLUMNS": "100", **environment}, prog_name="lab")

    return call
