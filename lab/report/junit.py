"""A run as JUnit XML, the form that CI services read.

A scenario over one address family is a test case. *violates* is a failure, *inconclusive* an error: it says nothing
about the server, and yet the run is no clean bill, as its exit code says. *cannot run* is skipped, with the reason.
*permitted* and *deviates* pass, and say so in their output.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from xml.etree import ElementTree as Xml

from lab.report.ladder import ladder
from lab.report.problem import headline, problem_lines
from lab.report.text import plain
from lab.scenario.record import Result, Run, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOLD_AS = {Verdict.VIOLATES: "failure", Verdict.INCONCLUSIVE: "error", Verdict.CANNOT_RUN: "skipped"}


def junit(run: Run, *, now: float | None = None) -> str:
    """The XML document. `now`: seconds since the epoch when the run ended, the present moment when None."""
    ended = time.time() if now is None else now
    began = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ended - run.seconds))
    folders: dict[str, list[Result]] = defaultdict(list)
    for result in run.results:
        folders[result.name.rpartition("/")[0] or "scenarios"].append(result)
    root = Xml.Element("testsuites", _counts("lab", run.results, run.seconds))
    for folder in sorted(folders):
        results = folders[folder]
        suite = Xml.SubElement(root, "testsuite", _counts(folder, results, sum(r.seconds for r in results)))
        suite.set("timestamp", began)
        properties = Xml.SubElement(suite, "properties")
        for name, value in (
            ("lab", run.version),
            ("testbed", run.testbed),
            ("kernel", run.kernel),
            ("seed", str(run.seed)),
        ):
            Xml.SubElement(properties, "property", {"name": name, "value": _clean(value)})
        for result in results:
            _case(suite, result, folder)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _counts(name: str, results: list[Result], seconds: float) -> dict[str, str]:
    return {
        "name": _clean(name),
        "tests": str(len(results)),
        "failures": str(sum(r.verdict is Verdict.VIOLATES for r in results)),
        "errors": str(sum(r.verdict is Verdict.INCONCLUSIVE for r in results)),
        "skipped": str(sum(r.verdict is Verdict.CANNOT_RUN for r in results)),
        "time": f"{seconds:.6f}",
    }


def _case(suite: Xml.Element, result: Result, folder: str) -> None:
    case = Xml.SubElement(suite, "testcase")
    case.set("classname", _clean(folder.replace("/", ".")))
    case.set("name", _clean(f"{result.name.rpartition('/')[2]}[{result.family}]"))
    case.set("time", f"{result.seconds:.6f}")
    if result.file:
        case.set("file", _clean(result.file))
    if result.verdict in _TOLD_AS:
        message = headline(result) if result.verdict is Verdict.VIOLATES else f"{result.verdict}: {headline(result)}"
        told = Xml.SubElement(case, _TOLD_AS[result.verdict], {"message": _clean(message), "type": str(result.verdict)})
        if result.problems:
            told.text = _clean(_story(result))
    elif result.remarks:
        said = [f"{r.verdict}: {r.says} ({'; '.join(x for x in (r.section, r.source) if x)})" for r in result.remarks]
        Xml.SubElement(case, "system-out").text = _clean("\n".join(said))


def _story(result: Result) -> str:
    told = [plain(problem_lines(problem, result, width=100)) for problem in result.problems]
    return "\n\n".join([*told, plain(ladder(result, width=96))])


def _clean(text: str) -> str:
    """`text` without the characters that XML 1.0 has no way to write."""
    return _NOT_XML.sub("�", text)
