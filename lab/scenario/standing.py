"""Where a connection stands at this moment: both ends by the model, the kernel's own word, and what may come next."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.scenario.bench import Bench
from lab.scenario.connection import Connection, near
from lab.scenario.record import End, Standing
from lab.tcp.conversation import Conversation
from lab.tcp.endpoint import Endpoint
from lab.tcp.outlook import illegal_moves, legal_moves
from lab.tcp.sequence import Seq
from lab.tcp.state import NO_CONNECTION, State


def standing(
    bench: Bench, connection: Connection, *, moves: bool = True, kernel: bool = True, iss: Seq | None = None
) -> Standing:
    """Ask the witnesses where the connection stands; `moves`: and the model what is legal next. Changes nothing.

    `iss` is the number that our end would open it with, where it is not the connection's own any more. Not `kernel`:
    the server's kernel is not asked, as where nobody can be. Raises AgentGone where the server's agent cannot be asked
    any more.
    """
    conversation, now = connection.conversation, bench.now()
    state, info = _kernel(bench, connection) if kernel else (None, {})
    said = Word(state, info, "" if state is None else objection_to(conversation, state, now))
    opens = connection.iss if iss is None else iss
    return stood(conversation, now, name=connection.name, iss=opens, word=said, moves=moves)


@dataclass(frozen=True, slots=True)
class Word:
    """What the server's kernel said of a connection."""

    state: State | None = None
    info: dict[str, int] = field(default_factory=dict)
    objection: str = ""
    """What it says against the model, "" where the two agree."""
    earlier: bool = False
    """It was said before the moment that is told of."""


def objection_to(conversation: Conversation, state: State, now: float) -> str:
    """What the kernel's `state` says against the model, "" where the two agree."""
    server = conversation.server
    if server.could_be_in(state, now):
        return ""
    return f"the server's kernel is in {state}, the model in {server.best.endpoint.state}"


def stood(conversation: Conversation, now: float, *, name: str, iss: Seq, word: Word, moves: bool = True) -> Standing:
    """Where the connection of that name stood at `now`, in seconds since the run began, when its two ends were as
    `conversation` has them. `iss` is what the lab opens with.
    """
    server = conversation.server
    best = server.best
    return Standing(
        connection=name,
        lab=_end(conversation.peer),
        server=_end(best.endpoint),
        kernel=word.state,
        info=word.info,
        objection=word.objection,
        earlier=word.earlier,
        rule=best.rule,
        why=best.why,
        profile=best.endpoint.profile.name,
        legal=tuple(legal_moves(conversation, now, iss=iss, calls=server.told)) if moves else (),
        illegal=tuple(illegal_moves(conversation, now, iss=iss)) if moves else (),
    )


def _kernel(bench: Bench, connection: Connection) -> tuple[State | None, dict[str, int]]:
    agent, port = bench.testbed.agent, connection.server_port
    if agent is None or port is None:
        return None, {}
    state, info = agent.state_and_info(
        bench.family, (bench.server_address, port), (bench.peer_address, connection.peer_port)
    )
    connection.kernel_state = state
    return state, info or {}


def _end(end: Endpoint) -> End:
    """The end's variables, counted from the SYNs that it knows: the other end may have begun another life since."""
    if end.state in NO_CONNECTION:
        return End(end.state)
    iss, irs = end.iss, end.irs
    return End(
        state=end.state,
        snd_una=near(end.snd_una.ahead_of(iss)) if iss is not None else None,
        snd_nxt=near(end.snd_nxt.ahead_of(iss)) if iss is not None else None,
        snd_wnd=end.snd_wnd if irs is not None else None,
        rcv_nxt=near(end.rcv_nxt.ahead_of(irs)) if irs is not None else None,
        rcv_wnd=end.rcv_wnd if iss is not None else None,
    )
