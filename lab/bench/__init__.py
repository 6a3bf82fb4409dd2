"""The benchmark: whole connections a second, by scenarios, by the fast path, by Scapy's `sr1()`, by the kernel itself.

All four open and close connections with the same kernel in the same sandbox, in turns, in one run. Three of them with
the same program, which closes when the client has; a scenario tells its server's program what to do, so it meets the
agent. What counts is a connection that was opened and closed whole and verified; the server's kernel counts too, and
where the two counts differ there is no result.

A second contest counts small messages a second over one WebSocket: by the lab's client over the hand-made TCP, and by
the `websockets` library's over the kernel's. What counts is a message that came back, and that the server counts too.

    contest.py      the turns and what they come to
    contestants.py  the four, each as "go on for so many seconds and say how many"
    messages.py     the second contest
    talk.py         what is said in it; byhand.py and by_websockets.py say it
    standing.py     what a way came to
    story.py        the scenario
    ground.py       the sandbox, and the helper processes in its namespaces
    roles.py        what those processes do
    told.py         the table and the JSON
"""

from __future__ import annotations

from lab.bench.contest import Benchmark, measure
from lab.bench.errors import BenchError

__all__ = ["BenchError", "Benchmark", "measure"]
