"""What the stories of WebSocket found in servers that we did not write, as tables of the README beside the stories.

`python table.py` prints them, from expected.csv and servers.csv; test_foreign.py holds the README and the servers to
these.
"""

from __future__ import annotations

import csv
from pathlib import Path

from lab.scenario.catalogue import load
from lab.scenario.needs import Needs

HERE = Path(__file__).parent
DATE = "2026-11-23"
"""When the versions in servers.csv were tried."""


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table of this folder."""
    with (HERE / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def stories() -> list[str]:
    """The stories that any WebSocket server can be put to that echoes."""
    return [s.name for s in load(["websocket"]) if not s.slow and s.needs in (Needs.WEBSOCKET, Needs.ECHO)]


def counts() -> str:
    """How many stories found what, by server."""
    expected, total = rows("expected.csv"), len(stories())
    lines = [
        f"| {DATE}, {total} stories, over IPv4 and over IPv6 | versions | conform | permitted | violate |",
        "|---|---|---|---|---|",
    ]
    for server in rows("servers.csv"):
        mine = [row["verdict"] for row in expected if row["server"] == server["server"]]
        found = total - len(mine), mine.count("permitted"), mine.count("violates")
        lines.append(f"| {server['title']} | {server['tried']} | {' | '.join(map(str, found))} |")
    return "\n".join(lines)


def deviations() -> str:
    """Each rule that is broken, and by whom."""
    broken: dict[tuple[str, str, str], list[str]] = {}
    for row in rows("expected.csv"):
        if row["verdict"] == "violates":
            broken.setdefault((row["scenario"], row["does"], row["says"]), []).append(row["server"])
    lines = ["| story | server | what it does | what the document says |", "|---|---|---|---|"]
    for (scenario, does, says), servers in broken.items():
        lines.append(f"| `{scenario.partition('/')[2]}` | {', '.join(servers)} | {does} | {says} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(counts(), deviations(), sep="\n\n")
