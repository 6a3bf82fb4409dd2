"""The lab inside pytest: fixtures for tests of one's own, and scenarios collected as tests.

Fixtures
    lab_testbed   the testbed of the session's options; a sandbox unless they say otherwise (module scope)
    lab_peer      a fresh hand-made end of a connection, on `lab_testbed`
    lab_server    the server that `lab_peer` talks to

A test that uses them fails as a scenario does: with the field, what was expected and observed, where each witness
stood and the section. `pytest --lab-scenarios FOLDER` collects every scenario below that folder as a test for each
address family.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from lab.scenario.bench import Bench, Family
    from lab.scenario.declare import Scenario
    from lab.scenario.peer import Peer
    from lab.scenario.record import Result
    from lab.scenario.server import Server
    from lab.testbed.base import Testbed
    from lab.testbed.place import Place
    from lab.testbed.sandbox import Sandboxes

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
_KNOCKED = pytest.StashKey[bool]()
_SANDBOXES = pytest.StashKey["Sandboxes"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all of them with `--lab-` in front."""
    group = parser.getgroup("lab", "TCP connections by hand (handshake-lab)")
    group.addoption("--lab-scenarios", metavar="FOLDER", help="collect the scenarios below FOLDER as tests")
    group.addoption("--lab-slow", action="store_true", help="run slow scenarios too")
    group.addoption("--lab-seed", type=int, default=0, metavar="N", help="seed of ports and initial numbers (0)")
    group.addoption("--lab-family", choices=FAMILIES, default="ipv4", help="address family of lab_peer (ipv4)")
    group.addoption("--lab-target", metavar="HOST:PORT", help="talk to this server, or ws://HOST:PORT/PATH")
    group.addoption("--lab-echo", action="store_true", help="the WebSocket target sends each message back")
    group.addoption("--lab-agent", metavar="HOST:PORT", help="talk to the host of this agent, instead of a sandbox")
    group.addoption("--lab-token", metavar="TOKEN", help="the agent's token")
    group.addoption("--lab-interface", metavar="NAME", help="with --lab-target or --lab-agent: the interface")
    group.addoption("--lab-address", metavar="ADDRESS", action="append", help="… and a spare address of its network")
    group.addoption("--lab-may-test-this-target", action="store_true", help="the target may be tested though public")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the helper process that makes sandboxes."""
    sandboxes = config.stash.get(_SANDBOXES, None)
    if sandboxes is not None:
        sandboxes.close()


def pytest_configure(config: pytest.Config) -> None:
    """Collect the scenarios' folder beside what else is asked for; refuse options that do not go together."""
    where = config.getoption("--lab-target") or config.getoption("--lab-agent")
    if where and not config.getoption("--lab-interface"):
        raise pytest.UsageError("--lab-target and --lab-agent need --lab-interface NAME, such as eth0")
    if target := config.getoption("--lab-target"):
        _place(target)
    elif where:
        _host_and_port(where)
    folder = config.getoption("--lab-scenarios")
    if folder:
        config.pluginmanager.register(_Scenarios(Path(folder).resolve()), "lab-scenarios")
        if folder not in config.args:
            given = config.invocation_params.args
            alone = not any(str(a) in map(str, given) for a in config.args)
            config.args = [folder] if alone else [*config.args, folder]


# Fixtures


@pytest.fixture(scope="session")
def _lab_sandboxes(request: pytest.FixtureRequest) -> Sandboxes:
    from lab.testbed.sandbox import Sandboxes

    return request.config.stash.setdefault(_SANDBOXES, Sandboxes())


@pytest.fixture(scope="module")
def lab_testbed(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    """The testbed that the session's options name; skips where the system forbids a sandbox."""
    from lab.testbed.errors import CannotRun
    from lab.wire.errors import LinkError

    try:
        testbed = _open(request.config) or request.getfixturevalue("_lab_sandboxes").make()
    except (CannotRun, LinkError) as error:
        _cannot(request.config, str(error))
    yield testbed
    testbed.close()


@pytest.fixture
def _lab_bench(request: pytest.FixtureRequest, lab_testbed: Testbed) -> Iterator[Bench]:
    from lab.scenario.bench import Bench
    from lab.scenario.errors import Stopped
    from lab.scenario.play import profiles

    config = request.config
    family: Family = config.getoption("--lab-family")
    if lab_testbed.peer_address(family) is None:
        pytest.skip(f"this testbed has no {family} address")
    bench = Bench(
        lab_testbed,
        family,
        profiles=profiles(lab_testbed),
        chance=random.Random(f"{config.getoption('--lab-seed')} {request.node.nodeid}"),
        wrap=False,
        script=Path(str(request.node.path)),
    )
    yield bench
    if not bench.problems:
        try:
            bench.settle()
        except Stopped as stopped:
            pytest.fail(_words(_result(bench, stopped.problem.message)), pytrace=False)


@pytest.fixture
def lab_peer(_lab_bench: Bench) -> Peer:
    """A hand-made end of a connection: `send`, `expect`, `expect_silence` (lab.scenario.peer.Peer)."""
    from lab.scenario.peer import Peer

    return Peer(_lab_bench, _first(_lab_bench))


@pytest.fixture
def lab_server(_lab_bench: Bench) -> Server:
    """The server that `lab_peer` talks to: `listen`, `connect`, `is_in` (lab.scenario.server.Server)."""
    from lab.scenario.server import Server

    return Server(_lab_bench, _first(_lab_bench))


def _first(bench: Bench) -> Any:
    return next(iter(bench.connections.values()), None) or bench.connection()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Tell a test's failure in the lab's words, ladder and all, where it is the lab that stopped it."""
    report = yield
    if call.excinfo is not None and type(call.excinfo.value).__name__ == "Stopped":
        bench = getattr(item, "funcargs", {}).get("_lab_bench")
        if bench is not None:
            report.longrepr = _words(_result(bench, item.name))
    return report


def _result(bench: Bench, title: str) -> Result:
    from lab.scenario.record import Result, Verdict

    return Result(
        name=bench.script.stem, title=title, family=bench.family, verdict=Verdict.VIOLATES,
        timeline=bench.timeline, problems=bench.problems,
        peer_address=bench.peer_address, server_address=bench.server_address,
        isns={c.name: (c.conversation.peer_isn, c.conversation.server_isn) for c in bench.connections.values()},
    )  # fmt: skip


def _words(result: Result) -> str:
    from lab.report.ladder import ladder
    from lab.report.problem import problem_lines
    from lab.report.text import plain

    return plain([*ladder(result), [], *(line for p in result.problems for line in problem_lines(p, result))])


# Scenarios as tests


@dataclass(eq=False)  # pytest keeps plugins in sets
class _Scenarios:
    """Collects the scenario files below one folder; a plugin of its own, so that it is there only when asked for."""

    root: Path

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """A scenario's file, if it lies below the folder."""
        if file_path.suffix != ".py" or file_path.name.startswith("_") or not file_path.is_relative_to(self.root):
            return None
        root = self.root.parent if self.root.is_file() else self.root
        return ScenarioFile.from_parent(parent, path=file_path, root=root)


class ScenarioFile(pytest.File):
    """One scenario's file."""

    def __init__(self, *, root: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = root

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each address family."""
        from lab.scenario.catalogue import load
        from lab.scenario.errors import UsageError

        name = self.path.relative_to(self.root).with_suffix("").as_posix()
        try:
            (scenario,) = load([name], self.root)
        except UsageError as error:
            raise self.CollectError(str(error)) from error
        for number, family in enumerate(FAMILIES):
            yield ScenarioItem.from_parent(
                self, name=f"{scenario.name}[{family}]", scenario=scenario, family=family, wrap=number == 0
            )


class ScenarioFailed(Exception):
    """A scenario did not conform; carries its result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.title)
        self.result = result


class ScenarioItem(pytest.Item):
    """One scenario over one address family."""

    def __init__(self, *, scenario: Scenario, family: Family, wrap: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.family = family
        self.wrap = wrap

    def runtest(self) -> None:
        """Play it, in a sandbox of its own unless the session's options name a server."""
        from lab.scenario.needs import offered, why_not
        from lab.scenario.play import play
        from lab.scenario.record import Verdict
        from lab.testbed.errors import CannotRun
        from lab.testbed.sandbox import Sandboxes
        from lab.wire.errors import LinkError

        config = self.config
        if self.scenario.slow and not config.getoption("--lab-slow"):
            pytest.skip("slow: --lab-slow runs it")
        try:
            testbed = _open(config)
            alone = testbed is None
            if testbed is None:
                testbed = config.stash.setdefault(_SANDBOXES, Sandboxes()).make()
        except (CannotRun, LinkError) as error:
            _cannot(config, str(error))
        try:
            if self.scenario.needs not in offered(testbed.name, _resource(config)):
                pytest.skip(f"left out: {why_not(self.scenario.needs)}")
            if testbed.peer_address(self.family) is None or testbed.server_address(self.family) is None:
                pytest.skip(f"this testbed has no {self.family} address")
            seed = config.getoption("--lab-seed")
            result = play(self.scenario, testbed, self.family, seed=seed, wrap=self.wrap, alone=alone)
        finally:
            testbed.close()
        self.user_properties.append(("verdict", str(result.verdict)))
        if result.verdict is Verdict.CANNOT_RUN:
            pytest.skip(result.problems[0].message)
        if result.verdict in (Verdict.VIOLATES, Verdict.INCONCLUSIVE):
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failure in the lab's words."""
        if isinstance(excinfo.value, ScenarioFailed):
            return _words(excinfo.value.result)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self.scenario.line - 1, self.name


def _open(config: pytest.Config) -> Testbed | None:
    """The testbed that the options name, None for a sandbox."""
    target, agent = config.getoption("--lab-target"), config.getoption("--lab-agent")
    if not target and not agent:
        return None
    interface = config.getoption("--lab-interface")
    spare = {"ipv6" if ":" in a else "ipv4": a for a in config.getoption("--lab-address") or ()}
    if agent:
        host, port = _host_and_port(agent)
        from lab.testbed.host import Host

        return Host.open(interface, (host, port), config.getoption("--lab-token") or "", spare=spare)
    from lab.testbed.target import Target

    allowed = config.getoption("--lab-may-test-this-target")
    place = _place(target)
    testbed = Target.open(
        interface, place.host, place.port, spare=spare, allow_public=allowed, **_resource(config)
    )  # fmt: skip
    if not config.stash.get(_KNOCKED, False):
        try:
            testbed.knock()
        except BaseException:
            testbed.close()
            raise
        config.stash[_KNOCKED] = True
    return testbed


def _cannot(config: pytest.Config, reason: str) -> NoReturn:
    """Skip where a sandbox cannot be had; fail where a server was named: a CI that asked for it must hear of it."""
    if config.getoption("--lab-target") or config.getoption("--lab-agent"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _place(text: str) -> Place:
    from lab.testbed.place import place_of

    try:
        return place_of(text)
    except ValueError as error:
        raise pytest.UsageError(f"--lab-target: {error}") from None


def _resource(config: pytest.Config) -> dict[str, Any]:
    """What the target serves over WebSocket, by the session's options."""
    target = config.getoption("--lab-target")
    return {"resource": _place(target).resource if target else None, "echoes": config.getoption("--lab-echo")}


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise pytest.UsageError(f"{text} is not HOST:PORT")
    return host.strip("[]"), int(port)
