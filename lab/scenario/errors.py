"""What can go wrong around a scenario, apart from the server's own fault.

LabError
├── UsageError        the command line or a script's words are wrong: mend them (exit code 2)
├── ScenarioError     the script asked for something that makes no sense here: mend the script
└── Stopped           the run of one scenario ends here; carries the Problem that says why
"""

from __future__ import annotations

from lab.scenario.record import Problem


class LabError(Exception):
    """One clear sentence, with the next step in it."""


class UsageError(LabError):
    """Wrong usage: nothing was run (exit code 2)."""


class ScenarioError(LabError):
    """The script asked for something that makes no sense where it stands."""


class Stopped(Exception):
    """A scenario ends before its last line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem
