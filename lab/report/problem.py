"""How a failed check is told to somebody who has never seen the lab."""

from __future__ import annotations

from lab.report.text import FAMILIES, UNICODE, Glyphs, Line, said, seconds, wrapped
from lab.scenario.record import Problem, Result, Verdict

_LABEL = 12
"""Columns of the words at the left."""

_FOUND_BY = {
    "script": "the script's expectation",
    "wire": "the wire",
    "socket": "the server kernel's socket state",
    "model": "the model of RFC 9293",
    "websocket": "the model of RFC 6455",
    "program": "what the server's program is told",
}


def problem_lines(problem: Problem, result: Result, *, width: int = 80, glyphs: Glyphs = UNICODE) -> list[Line]:
    """One problem: where in which script, which field, expected and observed, both packets, where each witness stood.

    What the record does not know is left out.
    """
    style = "bad" if problem.verdict is Verdict.VIOLATES else "warn"
    sign = glyphs.cross if problem.verdict is Verdict.VIOLATES else glyphs.warn
    lines = wrapped(problem.message, width, style=style, first=f"{sign} ", then="  ")
    if problem.file:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        lines.append([("  ", ""), (place, "head")])
        if problem.source:
            lines += wrapped(problem.source, width, first="      ", whole=True)
    lines.append([])

    def row(label: str, text: str, style: str = "") -> None:
        for i, [(piece, _)] in enumerate(wrapped(text, width - _LABEL - 2, whole=True)):
            lines.append([("  ", ""), ((label if i == 0 else "").ljust(_LABEL), "dim"), (piece, style)])

    if problem.expected or problem.observed:
        expected, observed = said(problem.expected, glyphs) or "nothing", said(problem.observed, glyphs) or "nothing"
        both = f"expected {expected}    observed {observed}"
        if len(both) + _LABEL + 2 <= width:
            label = problem.field.ljust(_LABEL) if len(problem.field) < _LABEL else f"{problem.field} "
            lines.append([("  ", ""), (label, "head"), ("expected ", "dim"), (expected, "good"), ("    ", "")])
            lines[-1] += [("observed ", "dim"), (observed, style)]
        else:
            beside = problem.field if len(problem.field) < _LABEL else ""
            if not beside:  # the name of a header field, say
                lines.append([("  ", ""), (problem.field, "head")])
            row(beside, f"expected {expected}", "good")
            row("", f"observed {observed}", style)
    elif problem.field:
        row("field", problem.field)
    if problem.expected_packet:
        row("expected", said(problem.expected_packet, glyphs), "good")
    if problem.observed_packet or problem.frame is not None:
        what = said(problem.observed_packet, glyphs) if problem.observed_packet else "see the capture"
        row("observed", what + _where(problem, result), style)
    standing = [("wire", problem.wire), ("socket", problem.socket), ("model", problem.model)]
    for i, (witness, text) in enumerate((w, t) for w, t in standing if t):
        row("" if i else "standing", f"{witness.ljust(8)}{said(text, glyphs)}")
    if problem.section or problem.witness:
        parts = [problem.section, f"found by {_FOUND_BY.get(problem.witness, problem.witness)}" * bool(problem.witness)]
        row("rule", "   ".join(p for p in parts if p))
    if result.capture:
        at = f", frame {problem.frame}" if problem.frame is not None else ""
        row("capture", f"{result.capture}{at}")
    if problem.next_step and problem.next_step not in problem.message:
        row("next step", problem.next_step)
    return lines


def _where(problem: Problem, result: Result) -> str:
    """The frame's number, and when it was seen."""
    if problem.frame is None:
        return ""
    time = next((p.time for p in result.packets if p.number == problem.frame), None)
    return f"    frame {problem.frame}" + (f", +{seconds(time)}" if time is not None else "")


def headline(result: Result) -> str:
    """One sentence for a list or a log: what happened to which scenario."""
    name = f"{result.name} over {FAMILIES[result.family]}"
    if not result.problems:
        return f"{name}: {result.verdict}"
    problem = result.problems[0]
    section = f" ({problem.section})" if problem.section else ""
    return f"{name}: {problem.message}{section}"
