"""`lab doctor`: what it finds on machines of all kinds, and what it makes of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from lab import doctor
from lab.doctor import Check, Machine, examine, healthy
from lab.report.checkup import checkup
from lab.report.text import ASCII, UNICODE, plain
from lab.testbed.errors import CannotRun

WORKS = {"network namespace": "", "packet socket": "", "veth": "", "sock_diag": ""}


class FakeMachine(Machine):
    """A machine in good order, apart from what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.settings = {setting.name: str(setting.wanted) for setting in doctor.SETTINGS}
        self.settings.update(changes.pop("settings", {}))
        self.programs = {
            "docker": "/usr/bin/docker",
            "docker-compose": "/usr/bin/docker-compose",
            "tshark": "/usr/bin/tshark",
        }
        self.programs.update(changes.pop("programs", {}))
        self.answers = {"docker version": (0, "27.0.1"), "docker-compose version": (0, "1.29.2")}
        self.answers.update(changes.pop("answers", {}))
        self.facts: dict[str, Any] = {
            "uid": 1000, "capabilities": 0, "system": ("Linux", "6.1.0"), "python": (3, 11, 4), "container": False,
            "packet_socket": "", "trials": {"user namespace": "", **WORKS}, "sandbox": "30 ms",
        }  # fmt: skip
        self.facts.update(changes)

    def setting(self, name: str) -> str | None:
        return self.settings.get(name)

    def run(self, *command: str) -> tuple[int, str]:
        return self.answers.get(" ".join(command[:2]), (127, "no such file"))

    def which(self, program: str) -> str | None:
        return self.programs.get(program)

    def lab(self) -> str:
        return "/opt/lab"

    def uid(self) -> int:
        return int(self.facts["uid"])

    def capabilities(self) -> int:
        return int(self.facts["capabilities"])

    def system(self) -> tuple[str, str]:
        return self.facts["system"]

    def python(self) -> tuple[int, ...]:
        return self.facts["python"]

    def in_container(self) -> bool:
        return bool(self.facts["container"])

    def packet_socket(self) -> str:
        return str(self.facts["packet_socket"])

    def trials(self, user: bool) -> dict[str, str]:
        assert user is (self.facts["capabilities"] >> doctor.CAP_SYS_ADMIN & 1 == 0)
        return dict(self.facts["trials"])

    def sandbox(self) -> str:
        if isinstance(self.facts["sandbox"], Exception):
            raise self.facts["sandbox"]
        return str(self.facts["sandbox"])


ROOT = {"uid": 0, "capabilities": 0x1FF_FFFF_FFFF, "trials": WORKS}


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize("changes", [{}, ROOT])
def test_a_machine_in_good_order(changes: dict[str, Any]) -> None:
    checks = examine(FakeMachine(**changes))
    assert healthy(checks)
    assert [check.name for check in checks if check.standing != "ok"] == []
    assert [check for check in checks if check.costs or check.mend] == []


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        (
            {"kernel.apparmor_restrict_unprivileged_userns": "1", "user.max_user_namespaces": "0"},
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            {"kernel.apparmor_restrict_unprivileged_userns": "0", "kernel.unprivileged_userns_clone": "0"},
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            {"kernel.unprivileged_userns_clone": "1", "user.max_user_namespaces": "0"},
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        ({"user.max_user_namespaces": "7000"}, "sudo /opt/lab run"),
    ],
)
def test_forbidden_user_namespaces_name_their_setting(settings: dict[str, str], mend: str) -> None:
    machine = FakeMachine(
        settings=settings,
        trials={"user namespace": "operation not permitted"},
        sandbox=CannotRun("No user namespaces.", "Ask."),
    )
    checks = examine(machine)
    check = named(checks, "user namespace")
    assert (check.standing, check.found, check.mend) == ("missing", "operation not permitted", mend)
    assert "the sandbox cannot be made" in check.costs
    assert not healthy(checks)
    assert "network namespace" not in [c.name for c in checks]


def test_a_container_is_sent_to_the_way_that_needs_no_namespaces() -> None:
    machine = FakeMachine(container=True, trials={"user namespace": "operation not permitted"})
    assert named(examine(machine), "user namespace").mend == "docker-compose run --rm lab"


@pytest.mark.parametrize(("step", "mend"), [("veth", "sudo modprobe veth"), ("sock_diag", "sudo modprobe tcp_diag")])
def test_a_missing_module_is_named(step: str, mend: str) -> None:
    checks = examine(FakeMachine(trials={**WORKS, step: "operation not supported"}))
    assert named(checks, step).mend == mend
    assert not healthy(checks)


def test_a_sandbox_that_fails_is_not_ready_whatever_else_works() -> None:
    checks = examine(FakeMachine(sandbox=CannotRun("It does not stand.", "Do this.")))
    check = named(checks, "sandbox")
    assert (check.standing, check.found, check.mend) == ("missing", "It does not stand.", "Do this.")
    assert not healthy(checks)


def test_packet_sockets_here_are_for_other_testbeds() -> None:
    checks = examine(FakeMachine(packet_socket="not allowed (no CAP_NET_RAW)"))
    check = named(checks, "packet sockets here")
    assert check.standing == "note"
    assert "--testbed host and target" in check.costs
    assert check.mend == "sudo /opt/lab run --testbed host"
    assert healthy(checks)


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("net.ipv4.tcp_invalid_ratelimit", "500", "sudo sysctl -w net.ipv4.tcp_invalid_ratelimit=0"),
        ("net.ipv4.tcp_challenge_ack_limit", "100", "sudo sysctl -w net.ipv4.tcp_challenge_ack_limit=1000000"),
        ("net.ipv4.tcp_rfc1337", "1", "sudo sysctl -w net.ipv4.tcp_rfc1337=0"),
        ("net.ipv4.tcp_syncookies", "2", "sudo sysctl -w net.ipv4.tcp_syncookies=1"),
        ("net.ipv4.tcp_timestamps", "0", "sudo sysctl -w net.ipv4.tcp_timestamps=1"),
        ("net.ipv4.tcp_tw_reuse", "1", "sudo sysctl -w net.ipv4.tcp_tw_reuse=2"),
    ],
)
def test_a_setting_that_hides_behaviour_is_told_and_forbids_nothing(name: str, value: str, mend: str) -> None:
    checks = examine(FakeMachine(settings={name: value}))
    check = named(checks, name)
    assert (check.standing, check.found, check.mend) == ("note", value, mend)
    assert check.costs
    assert healthy(checks)


def test_a_setting_that_the_kernel_does_not_have_is_passed_over() -> None:
    machine = FakeMachine()
    del machine.settings["net.ipv4.tcp_tw_reuse"]
    assert "net.ipv4.tcp_tw_reuse" not in [check.name for check in examine(machine)]


@pytest.mark.parametrize(
    ("answer", "found", "mend"),
    [
        ((1, "permission denied while connecting"), "you may not use it", "usermod -aG docker"),
        ((1, "Cannot connect to the Docker daemon"), "installed, not running", "sudo systemctl start docker"),
        ((124, "no answer within 5 seconds"), "installed, not running", "sudo systemctl start docker"),
    ],
)
def test_docker_that_does_not_answer(answer: tuple[int, str], found: str, mend: str) -> None:
    checks = examine(FakeMachine(answers={"docker version": answer}))
    check = named(checks, "Docker engine")
    assert (check.standing, check.found) == ("note", found)
    assert mend in check.mend
    assert healthy(checks)


def test_compose_of_either_age_will_do() -> None:
    old = FakeMachine()
    assert named(examine(old), "Docker Compose").found == "1.29.2 (docker-compose)"
    new = FakeMachine(answers={"docker-compose version": (127, ""), "docker compose": (0, "2.29.7")})
    assert named(examine(new), "Docker Compose").found == "2.29.7 (docker compose)"
    none = FakeMachine(answers={"docker-compose version": (127, "")})
    assert named(examine(none), "Docker Compose").mend == "sudo apt-get install docker-compose"


def test_no_docker_at_all() -> None:
    checks = examine(FakeMachine(programs={"docker": None}))
    assert named(checks, "Docker engine").mend == "sudo apt-get install docker.io docker-compose"
    assert "Docker Compose" not in [check.name for check in checks]


def test_another_system_and_an_old_python_are_not_enough() -> None:
    checks = examine(FakeMachine(system=("Darwin", "23.1"), python=(3, 9, 1), sandbox=CannotRun("No.", "Use Linux.")))
    assert named(checks, "kernel").standing == "missing"
    assert named(checks, "Python").standing == "missing"
    assert not healthy(checks)


TOLD = """\
  + kernel               Linux 6.1.0
  + Python               3.11.4
  + user                 user 1000
  + packet sockets here  allowed (CAP_NET_RAW)
  X user namespace       operation not permitted
      costs  the sandbox cannot be made, so `lab run` does not work as it is
      mend   sudo sysctl -w user.max_user_namespaces=15000
  + sandbox              made, asked and taken away in 30 ms
  + Docker engine        27.0.1
  + Docker Compose       1.29.2 (docker-compose)
  ! net.ipv4.tcp_rfc1337 = 1
      costs  a RST in TIME-WAIT is ignored (RFC 1337) instead of ending it
      mend   sudo sysctl -w net.ipv4.tcp_rfc1337=0
  + tshark               /usr/bin/tshark
  + 11 kernel settings as the scenarios expect them

X not ready: lab run needs what is missing above"""


def test_what_a_person_reads() -> None:
    machine = FakeMachine(
        settings={"user.max_user_namespaces": "0", "net.ipv4.tcp_rfc1337": "1"},
        trials={"user namespace": "operation not permitted"},
    )
    checks = examine(machine)
    assert plain(checkup(checks, healthy(checks), width=80, glyphs=ASCII)) == TOLD


def test_commands_are_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    checks = examine(FakeMachine(settings={"net.ipv4.tcp_challenge_ack_limit": "100"}))
    lines = plain(checkup(checks, True, width=60, glyphs=UNICODE)).splitlines()
    mend = next(line for line in lines if "mend" in line)
    assert shlex.split(mend.split("mend")[1])[-1] == "net.ipv4.tcp_challenge_ack_limit=1000000"


@pytest.mark.parametrize(("sandbox", "code"), [("30 ms", 0), (CannotRun("No.", "Try."), 3)])
def test_exit_code_and_json(sandbox: object, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(as_json=True, machine=FakeMachine(sandbox=sandbox)) == code
    told = json.loads(capsys.readouterr().out)
    assert told["ready"] is (code == 0)
    assert {"name", "standing", "found", "costs", "mend", "needed"} == set(told["checks"][0])


def test_the_trials_change_nothing_here() -> None:
    def here() -> list[str]:
        return [str(Path("/proc/self/ns", kind).readlink()) for kind in ("net", "user")]

    def children() -> set[str]:
        return {
            child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
        }

    before, others = here(), children()
    machine = Machine()
    user = not machine.capabilities() >> doctor.CAP_SYS_ADMIN & 1
    tried = machine.trials(user)
    steps = ["user namespace"] * user + ["network namespace", "packet socket", "veth", "sock_diag"]
    assert list(tried) == steps[: len(tried)]
    assert [name for name, why in tried.items() if why] in ([], list(tried)[-1:])  # it stops at the first that fails
    assert len(tried) == len(steps) or tried[list(tried)[-1]]
    assert here() == before
    assert children() == others  # another test's sandboxes may have theirs in this process


def test_this_machine_is_told(lab) -> None:
    done = lab("doctor", "--json")
    assert done.exit_code in (0, 3)
    told = json.loads(done.stdout)
    assert told["ready"] is (done.exit_code == 0)
