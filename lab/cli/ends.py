"""How a command ends: errors become one sentence and an exit code, never a traceback.

0 no violation, 1 violation, 2 wrong usage, 3 something could not be concluded, or nothing run, 130 interrupted (128 +
the signal).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, ClassVar, NoReturn

import typer
from typer.core import TyperGroup

USAGE, CANNOT = 2, 3


class Ended(BaseException):
    """A signal asks the lab to end. No Exception, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_on_sigterm() -> None:
    """Let SIGTERM, which Compose and CI services send, unwind as Ctrl-C does, so that nothing is left behind.

    SIGHUP too, of a terminal that was closed, unless it is ignored (nohup).
    For the main thread, where Python handles signals.
    """

    def ended(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)
        raise Ended(number)

    signal.signal(signal.SIGTERM, ended)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, ended)


class LabGroup(TyperGroup):
    """The `lab` command: runs one of its commands and turns how that ends into an exit code."""

    alone: ClassVar[bool] = False
    """Whether the process is the command's own, to end with it."""

    def make_context(self, *words: Any, **more: Any) -> Any:
        """Read the command line. A Ctrl-C meanwhile ends as one later does."""
        try:
            return super().make_context(*words, **more)
        except KeyboardInterrupt:
            self._no_more_of_it()
            complain("interrupted")
            sys.exit(128 + signal.SIGINT)

    def _no_more_of_it(self) -> None:
        """Ignore a second Ctrl-C where only the end is left."""
        if self.alone:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises what typer and click understand as an end, and nothing else."""
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
            return done
        except KeyboardInterrupt:
            self._no_more_of_it()
            complain("interrupted")
            raise typer.Exit(128 + signal.SIGINT) from None
        except Ended as ended:
            complain(f"ended by {signal.Signals(ended.number).name}")
            raise typer.Exit(128 + ended.number) from None
        except BrokenPipeError:  # whoever read us has seen enough: `lab list | head`
            _close_stdout()
            raise typer.Exit(128 + signal.SIGPIPE) from None
        except RuntimeError as error:
            if isinstance(error, typer.Exit | typer.Abort):
                raise
            raise typer.Exit(told(error)) from None
        except Exception as error:
            if type(error).__module__.split(".")[0] in ("click", "typer"):
                raise  # wrong usage: typer words it
            raise typer.Exit(told(error)) from None


def complain(sentence: str) -> None:
    """One sentence on standard error."""
    from lab.report.text import ascii_text, printable

    sentence = printable(sentence)
    encoding = (getattr(sys.stderr, "encoding", None) or "ascii").lower()
    typer.echo(f"lab: {sentence if encoding.startswith('utf') else ascii_text(sentence)}", err=True)


def told(error: Exception) -> int:
    """Say what went wrong; the exit code."""
    # Imported here, since nothing has gone wrong in most runs.
    from lab.scenario.errors import LabError, UsageError
    from lab.server.errors import ServeError
    from lab.testbed.errors import CannotRun
    from lab.wire.errors import LinkError

    if isinstance(error, LabError | CannotRun | LinkError | ServeError):
        step = str(getattr(error, "next_step", ""))
        complain(str(error) if not step or step in str(error) else f"{error}; {step}")
        return USAGE if isinstance(error, UsageError) else CANNOT
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        reason = (error.strerror or str(error)).lower()
        if not where:
            _close_stdout()  # most likely it is the output that takes no more; Python would try again at its end
            where = "cannot write the output: "
        complain(f"{where}{reason}")
        return CANNOT
    # A mistake of the lab's own. Python's exit code for it would be 1, which says that a server violated a rule.
    complain(f"a mistake in the lab itself, please report it: {type(error).__name__}: {error}")
    traceback.print_exception(error)
    return CANNOT


def _close_stdout() -> None:
    """Let what is still buffered vanish, so that Python's own flush at exit does not fail as well."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stdout without a descriptor, as in tests
        pass
