"""The `lab` command on one of two hosts that a test makes: `python lab_on_two_hosts.py FAMILIES ARGUMENT ...`.

It takes the network of tests/testbed/two_hosts.py, and becomes `lab ARGUMENT ...`, with CONTROL for the agent's port.
`ARGUMENT ... THEN ARGUMENT ...`: one command after the other, against the same server; what the first says is dropped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "testbed"))

import two_hosts


def main(families: list[str], arguments: list[str]) -> None:
    there = two_hosts.enter(two_hosts.UNLIMITED)
    control = two_hosts.start_server(there, families)
    two_hosts.set_up("lab0", two_hosts.OWN)
    os.environ["LAB_TOKEN"] = two_hosts.TOKEN
    words = [word.replace("CONTROL", str(control)) for word in arguments]
    lab = [sys.executable, "-c", "from lab.cli import main; main()"]
    while "THEN" in words:
        at = words.index("THEN")
        subprocess.run([*lab, *words[:at]], check=True, stdout=subprocess.DEVNULL)
        del words[: at + 1]
    os.execv(sys.executable, [*lab, *words])


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2:])
