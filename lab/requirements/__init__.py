"""What the documents require, as tables: RFC 9293, its extensions, RFC 6455 and the layers.

Each CSV beside this file has the columns of `Requirement`. Numbered requirements of RFC 9293 keep its tags (MUST-13);
the other ids are the lab's own: RFC number, section, short name (9293-3.10.7.4-seq). The wording is a paraphrase.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TABLES = ("rfc9293", "tcp-extensions", "rfc6455", "layers", "autobahn-groups")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of a table."""

    id: str
    level: str
    """BCP 14 keyword, "RULE" for prose without a keyword, "INFO" for what draws no verdict."""
    section: str
    requirement: str
    observable: str
    """"wire", "wire+socket" or "no"."""
    how_to_check: str
    """S is the server under test, L the lab; the variables are S's unless it says otherwise."""
    table: str
    """One of `TABLES`."""


@cache
def requirements() -> dict[str, Requirement]:
    """Every requirement by its id, in the tables' order."""
    found: dict[str, Requirement] = {}
    for table in TABLES:
        with (files(__name__) / f"{table}.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                found[row["id"]] = Requirement(**row, table=table)
    return found


@cache
def not_shown() -> dict[str, str]:
    """The requirements that no scenario shows although they can be observed, by id, and why not."""
    with (files(__name__) / "not_shown.csv").open(encoding="utf-8") as lines:
        return {row["id"]: row["why"] for row in csv.DictReader(lines)}
