"""A run as one JSON document."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from lab.report.carried import Carried, carried
from lab.scenario.record import Call, Packet, Result, Run, Verdict


def document(run: Run, *, timeline: bool = False) -> dict[str, Any]:
    """The document of a run; keys may be added in later versions, none is taken away.

    `summary` has every verdict, also those that no run got. `timeline`: with every packet and call of every run.
    """
    return {
        "version": run.version,
        "testbed": run.testbed,
        "kernel": run.kernel,
        "seed": run.seed,
        "scenarios": [_scenario(result, timeline) for result in run.results],
        "summary": {str(verdict): run.summary.get(verdict, 0) for verdict in Verdict},
        "seconds": round(run.seconds, 6),
        "exit_code": run.exit_code,
    }


def dumps(value: Any, *, ascii_only: bool = False) -> str:
    """`value` as JSON text for people and programs, with a newline at its end.

    Half a surrogate pair, which no encoding has and some readers refuse, becomes U+FFFD. What a terminal might obey is
    written as an escape.
    """
    text = _HALF_A_PAIR.sub("\ufffd", json.dumps(value, indent=2, ensure_ascii=False, default=str))
    return (_NOT_ASCII if ascii_only else _CONTROL).sub(_escape, text) + "\n"


_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x7f-\x9f]")
_NOT_ASCII = re.compile("[^\x00-\x7e]")


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f"


def _scenario(result: Result, timeline: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": result.name,
        "title": result.title,
        "family": result.family,
        "verdict": str(result.verdict),
        "seconds": round(result.seconds, 6),
        "packets": len(result.packets),
        "checks": result.checks,
        "capture": result.capture,
        "problems": [{**asdict(problem), "verdict": str(problem.verdict)} for problem in result.problems],
        "documents": list(result.documents),
        "remarks": [{**asdict(remark), "verdict": str(remark.verdict)} for remark in result.remarks],
        "evidence_for": list(result.evidence_for),
        "file": result.file,
        "witnesses": list(result.witnesses),
        "silence": result.silence,
        "captured": result.captured,
        "dropped": result.dropped,
        "peer_address": result.peer_address,
        "server_address": result.server_address,
        "isns": {name: {"peer": ours, "server": theirs} for name, (ours, theirs) in result.isns.items()},
    }
    if timeline:
        read = carried(result)
        told["timeline"] = [_entry(entry, read) for entry in result.timeline]
    return told


def _entry(entry: Packet | Call, read: dict[int, Carried]) -> dict[str, Any]:
    if isinstance(entry, Call):
        return {**asdict(entry), "time": round(entry.time, 9)}
    segment = entry.segment
    return {
        "kind": "packet",
        "number": entry.number,
        "time": round(entry.time, 9),
        "sender": entry.sender,
        "connection": entry.connection,
        "flags": [flag.name for flag in segment.flags] if segment else None,
        "seq": entry.seq,
        "ack": entry.ack,
        "length": len(segment.payload) if segment else None,
        "window": segment.window if segment else None,
        "peer_state": entry.peer_state,
        "server_state": entry.server_state,
        "rule": entry.rule,
        "note": entry.note or entry.summary,
        "websocket": read[entry.number].told() if entry.number in read else [],
        "problem": entry.problem,
        "frame": entry.frame.hex(),
    }
