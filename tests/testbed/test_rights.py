"""Who may make sandboxes: root and ordinary users; and what is said where the system forbids it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lab
from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandbox

ROOT = Path(lab.__file__).parent.parent
NOBODY = 65534

USE = """
import json, os, sys
from lab.testbed.errors import CannotRun
from lab.testbed.sandbox import Sandboxes
def use():
    with Sandboxes() as sandboxes:
        try:
            with sandboxes.make() as sandbox:
                _, port = sandbox.agent.listen("ipv6")
                return {"uid": os.getuid(), "port": port, "link": sandbox.link.mac.hex()}
        except CannotRun as error:
            return {"message": error.message, "next step": error.next_step}
"""
PRINT = "print(json.dumps(use()))\n"

# A seccomp filter that refuses unshare(2), as Docker's does for those without CAP_SYS_ADMIN: EPERM.
FORBID = """
import ctypes, platform, struct
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
code = struct.pack("=HBBI", 0x20, 0, 0, 0) + struct.pack("=HBBI", 0x15, 0, 1, number)
code += struct.pack("=HBBI", 0x06, 0, 0, 0x00050001) + struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(4, ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
"""


def python_for(user: int) -> str:
    """A Python, 3.11 or later, that another user can run: this one lies in root's home perhaps."""
    for python in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if python is None:
            continue
        try:
            done = subprocess.run(
                [
                    python,
                    "-c",
                    f"import sys; sys.path.append({str(ROOT)!r}); import lab; print(sys.version_info >= (3, 11))",
                ],
                user=user,
                group=user,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
            )
        except OSError:
            continue
        if done.stdout.strip() == "True":
            return python
    pytest.skip("an ordinary user can run no Python 3.11, or cannot read the lab's folder")


def run(program: str, user: int | None = None) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable if user is None else python_for(user), "-W", "error", "-c", program],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
    )
    assert done.stderr == ""
    outcome: dict[str, object] = json.loads(done.stdout)
    return outcome


root_only = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")


@root_only
def test_an_ordinary_user_may_make_sandboxes(working: None) -> None:
    outcome = run(USE + PRINT, user=NOBODY)
    if "message" in outcome:
        pytest.skip(f"ordinary users may not, here: {outcome}")
    assert outcome["uid"] == NOBODY
    assert outcome["link"] == "020000000002"


forbidding = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="the test knows unshare's number on two machines only"
)


@forbidding
def test_where_namespaces_are_forbidden_it_says_so_with_the_next_step(working: None) -> None:
    outcome = run(USE + FORBID + PRINT)
    assert "does not let the lab make network namespaces" in str(outcome["message"])
    assert "Operation not permitted" in str(outcome["message"])
    assert "--testbed host" in str(outcome["next step"])


@root_only
@forbidding
def test_an_ordinary_user_is_told_the_same(working: None) -> None:
    outcome = run(USE + FORBID + PRINT, user=NOBODY)
    assert "(user namespace: Operation not permitted)" in str(outcome["message"])


def test_a_folder_full_of_traps_hides_no_module_of_pythons(working: None, tmp_path: Path) -> None:
    """The helper starts with whatever lies in the current folder, and in the lab's."""
    for name in ("socket", "json", "select", "signal", "asyncio", "lab"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('trapped')\n")
    assert "port" in run(USE + f"os.chdir({str(tmp_path)!r})\n" + PRINT)


@pytest.mark.parametrize(
    ("obstacle", "says"),
    [
        ({"step": "veth pair", "errno": 95, "message": "Operation not supported"}, "modprobe veth"),
        ({"step": "packet socket", "errno": 97, "message": "Address family not supported"}, "modprobe af_packet"),
        ({"step": "user namespace", "errno": 28, "message": "No space left on device"}, "network namespaces"),
        ({"step": "carrier", "errno": 110, "message": "Connection timed out"}, "carrier: Connection timed out"),
        ({}, "cannot be made"),
    ],
)
def test_every_obstacle_is_said_in_a_sentence(obstacle: dict[str, object], says: str) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(json.dumps({"obstacle": obstacle}).encode() + b"\n")
        with pytest.raises(CannotRun, match=says) as caught:
            Sandbox.adopt(ours)
    assert caught.value.message.endswith(".")
    assert caught.value.next_step.endswith(".")


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b"7\n", b'{"ready": {}}\n', b""])
def test_an_answer_that_is_none_cannot_run(line: bytes) -> None:
    import socket

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(line)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(CannotRun):
            Sandbox.adopt(ours)
