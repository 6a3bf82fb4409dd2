"""In which language a lesson is told."""

from __future__ import annotations

from collections.abc import Mapping

from lab.explore.lessons import LANGUAGES
from lab.scenario.errors import UsageError

_WITHOUT = "This terminal's encoding, {}, has no Chinese characters, so the lesson is told in English."


def language(asked: str | None, environ: Mapping[str, str], encoding: str) -> tuple[str, str]:
    """The language, and a sentence where it is not the one that was wanted, else "".

    `asked` is what --lang says; without it the locale decides as POSIX has it: LC_ALL, then LC_MESSAGES, then LANG.
    Raises UsageError for a language that there is not.
    """
    if asked is not None and asked not in LANGUAGES:
        raise UsageError(f"--lang: the lessons are told in {' and '.join(LANGUAGES)}, not in {asked}")
    wanted = asked or _of(environ)
    if wanted == "zh" and not encoding.lower().startswith("utf"):
        return "en", _WITHOUT.format(encoding)
    return wanted, ""


def _of(environ: Mapping[str, str]) -> str:
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environ.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"
