"""`lab doctor`: what this machine allows, what the lack of it costs, and the command that mends it."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Standing = Literal["ok", "missing", "note"]
"""Whether it is there; "note" for what hides or changes behaviour and forbids nothing."""

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CAP_NET_RAW = 13
CAP_SYS_ADMIN = 21

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    standing: Standing
    found: str
    """What is the case, in a few words."""
    costs: str = ""
    """What does not work, or is not seen, as it stands; "" where nothing is amiss."""
    mend: str = ""
    """The exact command, or what else to do; "" where there is nothing to do."""
    needed: bool = False
    """Whether `lab run` in the default sandbox needs it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A kernel setting that hides or changes what a server does."""

    name: str
    plain: Callable[[int], bool]
    """Whether a value leaves behaviour as the scenarios expect it."""
    wanted: int
    costs: str


SETTINGS = (
    Setting(
        "net.ipv4.tcp_invalid_ratelimit",
        lambda value: value == 0,
        0,
        "answers to repeated segments outside the window are left out for so many milliseconds: their absence proves "
        "nothing",
    ),
    Setting(
        "net.ipv4.tcp_challenge_ack_limit",
        lambda value: value >= 1000,
        1_000_000,
        "challenge ACKs (RFC 5961 §7) are counted out each second: a missing one proves nothing",
    ),
    Setting(
        "net.ipv4.tcp_rfc1337",
        lambda value: value == 0,
        0,
        "a RST in TIME-WAIT is ignored (RFC 1337) instead of ending it",
    ),
    Setting(
        "net.ipv4.tcp_tw_reuse",
        lambda value: value in (0, 2),
        2,
        "connections in TIME-WAIT may be taken over by new ones that the server opens",
    ),
    Setting(
        "net.ipv4.tcp_syncookies",
        lambda value: value in (0, 1),
        1,
        "every SYN is answered with a cookie and nothing is held in SYN-RECEIVED: that state is never seen",
    ),
    Setting("net.ipv4.tcp_timestamps", lambda value: value in (1, 2), 1, "timestamps (RFC 7323) are never offered"),
    Setting("net.ipv4.tcp_window_scaling", lambda value: value == 1, 1, "window scale (RFC 7323) is never offered"),
    Setting(
        "net.ipv4.tcp_sack", lambda value: value == 1, 1, "selective acknowledgements (RFC 2018) are never offered"
    ),
    Setting(
        "net.ipv4.tcp_fin_timeout", lambda value: value == 60, 60, "FIN-WAIT-2 of a closed program ends at another time"
    ),
    Setting(
        "net.ipv4.tcp_synack_retries", lambda value: value == 5, 5, "a SYN+ACK is repeated another number of times"
    ),
    Setting(
        "net.ipv4.tcp_max_tw_buckets",
        lambda value: value >= 100,
        4096,
        "TIME-WAIT is cut short when there are more of them",
    ),
    Setting("net.ipv4.tcp_abort_on_overflow", lambda value: value == 0, 0, "a full backlog is answered with RST"),
)
"""They matter where this machine is the server of `--testbed host` or `target`; the sandbox sets its own."""


class Machine:
    """This machine, as far as the doctor asks. Tests put another in its place."""

    def setting(self, name: str) -> str | None:
        """The value of a kernel setting, None where the kernel has none of that name or hides it."""
        try:
            return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
        except OSError:
            return None

    def run(self, *command: str) -> tuple[int, str]:
        """Exit code and output of a command (127 where there is none of that name), within five seconds."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=5,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, "no answer within 5 seconds"
        except OSError as error:
            return 127, error.strerror or str(error)
        return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip()

    def which(self, program: str) -> str | None:
        """The path of a program, None where there is none."""
        return shutil.which(program)

    def lab(self) -> str:
        """How to call the lab where PATH is another, as after `sudo`."""
        called = Path(sys.argv[0])
        return str(called.resolve()) if called.name == "lab" and called.exists() else "lab"

    def uid(self) -> int:
        """The effective user."""
        return os.geteuid()

    def capabilities(self) -> int:
        """The effective capabilities as bits (capabilities(7))."""
        try:
            status = Path("/proc/self/status").read_text(encoding="ascii")
        except OSError:
            return 0
        return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)

    def system(self) -> tuple[str, str]:
        """Name and release of the system: ("Linux", "6.1.0")."""
        return platform.system(), platform.release()

    def python(self) -> tuple[int, ...]:
        """Python's version."""
        return tuple(sys.version_info[:3])

    def in_container(self) -> bool:
        """Whether this looks like a container."""
        return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()

    def packet_socket(self) -> str:
        """ "" where a packet socket can be opened here and now, else why not."""
        return _try_packet_socket()

    def trials(self, user: bool) -> dict[str, str]:
        """Try in a forked child, step by step, what the sandbox needs: "" for what works, else why not.

        Keys, in this order: "user namespace" (with `user`), "network namespace", "packet socket", "veth", "sock_diag".
        What comes after a failure is missing.
        """
        return _in_child(lambda note: _trials(note, user))

    def sandbox(self) -> str:
        """Make the default testbed and let its agent answer once. Returns the seconds it took as text.

        Raises CannotRun, with its reason and next step.
        """
        from lab.testbed.sandbox import Sandbox, Sandboxes

        began = time.monotonic()
        with Sandboxes() as sandboxes:
            sandbox = Sandbox.adopt(sandboxes.request())
            sandbox.close()
        return f"{(time.monotonic() - began) * 1e3:.0f} ms"


def examine(machine: Machine) -> list[Check]:
    """All checks, in the order in which they are told. Changes nothing on the machine."""
    checks = [*_ground(machine), *_rights(machine), _whole(machine), *_docker(machine), *_settings(machine)]
    tshark = machine.which("tshark") or "not there, and not needed: any Wireshark reads the captures"
    checks.append(Check("tshark", "ok", tshark))
    return checks


def healthy(checks: Sequence[Check]) -> bool:
    """Whether `lab run` in the default sandbox can be expected to work."""
    return not any(check.needed and check.standing == "missing" for check in checks)


def _ground(machine: Machine) -> list[Check]:
    system, release = machine.system()
    linux = system == "Linux"
    checks = [
        Check("kernel", "ok", f"Linux {release}", needed=True)
        if linux
        else Check(
            "kernel", "missing", f"{system} {release}", "the lab needs Linux for its packet sockets and namespaces",
            "docker-compose run --rm lab", needed=True,
        )
    ]  # fmt: skip
    version = ".".join(map(str, machine.python()))
    if machine.python() >= OLDEST_PYTHON:
        checks.append(Check("Python", "ok", version, needed=True))
    else:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        checks.append(
            Check("Python", "missing", version, f"the lab needs {oldest}", "sudo apt-get install python3", needed=True)
        )
    return checks


def _rights(machine: Machine) -> list[Check]:
    if machine.system()[0] != "Linux":
        return []
    uid, capabilities = machine.uid(), machine.capabilities()
    admin = bool(capabilities >> CAP_SYS_ADMIN & 1)
    who = "root" if uid == 0 else f"user {uid}"
    extra = "" if uid != 0 or admin else ", without the right to make namespaces (a container's root)"
    checks = [Check("user", "ok", who + extra)]
    why = machine.packet_socket()
    checks.append(
        Check("packet sockets here", "ok", "allowed (CAP_NET_RAW)")
        if not why
        else Check(
            "packet sockets here", "note", why, "--testbed host and target do not run; the sandbox needs none of it",
            f"sudo {machine.lab()} run --testbed host" if uid else "run the container with --cap-add NET_RAW",
        )
    )  # fmt: skip
    return checks + _namespaces(machine, machine.trials(user=not admin), user=not admin)


def _namespaces(machine: Machine, trials: dict[str, str], *, user: bool) -> list[Check]:
    costs = "the sandbox cannot be made, so `lab run` does not work as it is"
    mends = {
        "user namespace": _mend_user_namespaces,
        "network namespace": _mend_network_namespaces,
        "packet socket": _load("af_packet"),
        "veth": _load("veth"),
        "sock_diag": _load("tcp_diag"),
    }
    checks = [] if user else [Check("user namespace", "ok", "not needed: namespaces are made directly")]
    for name, mend in mends.items():
        if name not in trials:
            continue
        why = trials[name]
        found = why or "works"
        checks.append(
            Check(name, "ok", found, needed=True)
            if not why
            else Check(name, "missing", found, costs, mend(machine), needed=True)
        )
    return checks


def _load(module: str) -> Callable[[Machine], str]:
    return lambda machine: f"sudo modprobe {module}"


def _mend_user_namespaces(machine: Machine) -> str:
    if machine.in_container():
        return "docker-compose run --rm lab"  # a container may rarely make namespaces; that way needs none
    for name, bad, good in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        if machine.setting(name) == bad:
            return f"sudo sysctl -w {name}={good}"
    return f"sudo {machine.lab()} run"


def _mend_network_namespaces(machine: Machine) -> str:
    if machine.setting("user.max_net_namespaces") == "0":
        return "sudo sysctl -w user.max_net_namespaces=15000"
    return _mend_user_namespaces(machine)


def _whole(machine: Machine) -> Check:
    """The proof of the pudding: the default testbed itself."""
    try:
        took = machine.sandbox()
    except Exception as error:  # whatever it is, it is what the person needs to know
        message, step = str(getattr(error, "message", error)), str(getattr(error, "next_step", ""))
        kind = "" if step else f"{type(error).__name__}: "
        return Check("sandbox", "missing", f"{kind}{message}", "`lab run` does not work as it is", step, needed=True)
    return Check("sandbox", "ok", f"made, asked and taken away in {took}", needed=True)


def _docker(machine: Machine) -> list[Check]:
    costs = "docker-compose run --rm lab does not work; the sandbox needs no Docker"
    if not machine.which("docker"):
        engine = Check("Docker engine", "note", "not there", costs, "sudo apt-get install docker.io docker-compose")
        return [engine]
    code, text = machine.run("docker", "version", "--format", "{{.Server.Version}}")
    if code == 0:
        engine = Check("Docker engine", "ok", text)
    else:
        denied = "permission denied" in text.lower()
        mend = 'sudo usermod -aG docker "$USER" && newgrp docker' if denied else "sudo systemctl start docker"
        found = "you may not use it" if denied else "installed, not running"
        engine = Check("Docker engine", "note", found, costs, mend)
    for command in (("docker-compose", "version", "--short"), ("docker", "compose", "version", "--short")):
        code, text = machine.run(*command)
        if code == 0:
            which = " ".join(command[: command.index("version")])
            return [engine, Check("Docker Compose", "ok", f"{text.splitlines()[0] if text else 'there'} ({which})")]
    return [engine, Check("Docker Compose", "note", "not there", costs, "sudo apt-get install docker-compose")]


def _settings(machine: Machine) -> list[Check]:
    checks = []
    for setting in SETTINGS:
        text = machine.setting(setting.name)
        if text is None or not text.lstrip("-").isdigit():
            continue
        if setting.plain(int(text)):
            checks.append(Check(setting.name, "ok", text))
        else:
            mend = f"sudo sysctl -w {setting.name}={setting.wanted}"
            checks.append(Check(setting.name, "note", text, setting.costs, mend))
    return checks


def _in_child(work: Callable[[Callable[[str, str], None]], None]) -> dict[str, str]:
    """What `work` notes, in a child process that ends with it, so that its namespaces do too."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            work(lambda name, why: void(os.write(writing, (json.dumps([name, why]) + "\n").encode())))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, not a path
        notes = dict(json.loads(line) for line in stream)
    os.waitpid(child, 0)
    return notes


def void(value: object) -> None:
    """Takes a value and forgets it."""


def _trials(note: Callable[[str, str], None], user: bool) -> None:
    """Step by step into namespaces, noting each step; ends at the first that fails."""
    steps: list[tuple[str, Callable[[], str]]] = [
        ("network namespace", lambda: _unshare(CLONE_NEWNET)),
        ("packet socket", _try_packet_socket),
        ("veth", _try_veth),
        ("sock_diag", _try_sock_diag),
    ]
    if user:
        steps.insert(0, ("user namespace", lambda: _unshare(CLONE_NEWUSER)))
    for name, step in steps:
        try:
            why = step()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
        note(name, why)
        if why:
            return


def _unshare(flag: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(flag):
        return os.strerror(ctypes.get_errno()).lower()
    if flag == CLONE_NEWUSER:
        # Ubuntu's AppArmor lets the namespace be made and takes every right in it away: the map is the first to tell.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    return ""


def _try_packet_socket() -> str:
    if not hasattr(socket, "AF_PACKET"):
        return "this system has none"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        if error.errno == errno.EPERM:
            return "not allowed (no CAP_NET_RAW)"
        return (error.strerror or str(error)).lower()
    return ""


def _netlink(family: int, message: bytes) -> int:
    """Send one netlink message and return the errno of its answer, 0 for success (netlink(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
        netlink.settimeout(2)
        netlink.bind((0, 0))
        netlink.send(message)
        answer = netlink.recv(65536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    return -int(struct.unpack_from("=i", answer, 16)[0]) if kind == 2 else 0  # NLMSG_ERROR


def _try_veth() -> str:
    def attribute(kind: int, data: bytes) -> bytes:
        return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)

    # RTM_NEWLINK with IFLA_IFNAME (3) and IFLA_LINKINFO (18) { IFLA_INFO_KIND (1) "veth" }: rtnetlink(7).
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"labtry\0") + attribute(18, attribute(1, b"veth"))
    flags = 0x1 | 0x4 | 0x400 | 0x200  # REQUEST, ACK, CREATE, EXCL
    code = _netlink(0, struct.pack("=IHHII", 16 + len(body), 16, flags, 1, 0) + body)
    return os.strerror(code).lower() if code else ""


def _try_sock_diag() -> str:
    # SOCK_DIAG_BY_FAMILY (20) for all TCP sockets over IPv4: sock_diag(7). An empty list is an answer too.
    body = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + b"\0" * 48
    code = _netlink(4, struct.pack("=IHHII", 16 + len(body), 20, 0x1 | 0x300, 1, 0) + body)
    return os.strerror(code).lower() if code else ""


def document(checks: Sequence[Check]) -> dict[str, Any]:
    """The checks as one JSON document."""
    from lab import __version__

    return {"version": __version__, "ready": healthy(checks), "checks": [asdict(check) for check in checks]}


def main(*, as_json: bool, machine: Machine | None = None) -> int:
    """Examine this machine and tell; 0 where `lab run` works as it is, else 3."""
    from lab.report.json_report import dumps
    from lab.report.terminal import Screen

    checks = examine(machine or Machine())
    screen = Screen()
    if as_json:
        sys.stdout.write(dumps(document(checks), ascii_only=not screen.unicode))
    else:
        from lab.report.checkup import checkup

        screen.show(checkup(checks, healthy(checks), width=min(screen.width, 100), glyphs=screen.glyphs))
    return 0 if healthy(checks) else 3
