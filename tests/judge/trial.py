"""What both trials ask of a result, of a server broken on purpose or of an honest one."""

from __future__ import annotations

from pathlib import Path

from lab.scenario.record import Result, Verdict

BROKEN = Path(__file__).parent.parent / "broken"
"""Where the servers are."""

FINE = {Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES}


def draws_nothing(results: list[Result]) -> None:
    """Whether there are results, in each of which all three witnesses agreed with a server."""
    assert results
    for result in results:
        assert result.verdict in FINE, (result.name, result.family, result.problems)
        assert result.checks > 0
        assert result.witnesses == ("wire", "socket", "model")


def names_what_is_wrong(result: Result) -> None:
    """Whether its first problem says what was expected, where that is written, and what each witness saw."""
    problem = result.problems[0]
    assert problem.message
    assert problem.section
    assert problem.file.endswith(f"{result.name}.py")
    assert problem.source in Path(problem.file).read_text()
    assert problem.expected != problem.observed
    assert problem.wire
    assert problem.socket
    assert problem.model
