"""The fast path on trial: it refuses the broken servers, with the field that is wrong, and passes the honest ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.testbed.sandbox import Sandbox, Sandboxes
from lab.wire.fast import FastPath, WrongReply

BROKEN = Path(__file__).parent.parent / "broken"

FIELDS = {
    # The opening.
    "syn_ack_acks_x": "ack",
    "syn_ack_acks_x_plus_2": "ack",
    "syn_ack_without_ack_flag": "flags",
    "bad_checksum": "checksum",
    "ipv6_wrong_pseudo_header": "checksum",
    "ack_storm": "silence",
    # The closing.
    "fin_not_counted": "ack",
    "fin_counted_twice": "ack",
    "fin_ignored": "ack",
    "fin_swallowed": "silence",
    "rst_in_place_of_fin": "flags",
    "bad_checksum_of_fin": "checksum",
    "own_bare_ack_counts_one": "seq",
    "bare_ack_counts_one": "ack",
    "acks_every_segment_twice": "flags",
}
"""What each of them has wrong, in the order in which the fast path looks."""


def open_and_close(sandbox: Sandbox, family: str, patience: float) -> FastPath:
    """One connection with a stack written by hand, whose program must be told to close."""
    agent = sandbox.agent
    assert agent is not None
    source, destination = sandbox.peer_address(family), sandbox.server_address(family)
    assert source is not None
    assert destination is not None
    listener, port = agent.listen(family)
    path = FastPath(
        sandbox.link,
        source=source,
        destination=destination,
        port=port,
        source_mac=sandbox.peer_mac,
        destination_mac=sandbox.server_mac,
        patience=patience,
    )
    opened = path.open()
    agent.ping()  # it has handled all that was sent, and said what it says to it
    path.begin_close(opened)
    agent.close(agent.accept(listener).socket)
    agent.ping()
    path.finish_close(opened)
    return path


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("serve", ["serve_honest", "serve_honest_like_linux"])
def test_an_honest_stack_passes(serve: str, family: str, sandbox_works: None) -> None:
    with Sandboxes() as sandboxes, sandboxes.make(f"broken_servers:{serve}", path=[BROKEN]) as sandbox:
        for _ in range(3):
            assert open_and_close(sandbox, family, patience=10.0).closed == 1


@pytest.mark.parametrize(("name", "field"), FIELDS.items(), ids=FIELDS)
def test_a_broken_stack_is_refused(name: str, field: str, sandbox_works: None) -> None:
    # Only where nothing comes at all has patience to end; elsewhere it must not.
    patience = 0.3 if name == "fin_swallowed" else 10.0
    with Sandboxes() as sandboxes, sandboxes.make(f"broken_servers:broken_{name}", path=[BROKEN]) as sandbox:
        with pytest.raises(WrongReply) as caught:
            open_and_close(sandbox, "ipv6" if name.startswith("ipv6") else "ipv4", patience)
        assert caught.value.field == field
