"""What a figure depends on: the machine, its kernel, and the versions of what is measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab import __version__


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts, as they stood when the run began."""

    cpu: str
    """The model's name, "" where the kernel does not say."""
    cores: int
    """Those that this process may use."""
    load: float
    """Processes that ran or wanted to, on average over the last minute: others' work spoils figures."""
    kernel: str
    python: str
    scapy: str
    lab: str


def this_machine() -> Machine:
    """The facts of the machine this runs on."""
    try:
        scapy = version("scapy")
    except PackageNotFoundError:
        scapy = ""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")) or platform.processor(),
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        scapy=scapy,
        lab=__version__,
    )


def cpu_model(cpuinfo: str) -> str:
    """The processor's name out of /proc/cpuinfo, which calls it differently on each architecture; "" for none."""
    named = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    return next((named[name] for name in ("model name", "Model", "Hardware", "cpu model") if named.get(name)), "")
