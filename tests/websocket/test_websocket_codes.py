"""The close codes of RFC 6455 §7.4, range by range."""

from __future__ import annotations

import pytest

from lab.websocket import codes


@pytest.mark.parametrize(
    ("first", "last", "allowed"),
    [
        (-1, 999, False),
        (1000, 1003, True),
        (1004, 1006, False),
        (1007, 1014, True),
        (1015, 2999, False),
        (3000, 4999, True),
        (5000, 65536, False),
    ],
)
def test_which_codes_may_stand_in_a_close_frame(first: int, last: int, allowed: bool) -> None:
    assert {codes.may_be_sent(code) for code in range(first, last + 1)} == {allowed}
    assert {codes.lookup(code).may_be_sent for code in range(first, last + 1)} == {allowed}


def test_a_code_is_told_with_its_name() -> None:
    assert codes.describe(1002) == "1002 (protocol error)"
    assert codes.describe(3999) == "3999 (registered)"
    assert codes.describe(4000) == "4000 (private)"
    assert codes.describe(2999) == "2999 (undefined)"
    assert codes.describe(999) == "999 (unused)"
