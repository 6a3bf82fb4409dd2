"""Each WebSocket server that is broken on purpose is broken in what it says, and in nothing else; by raw octets.

`SHOWS` predicts for each server the questions of websocket_probes.py whose answers give it away. An honest server that
has another habit is listed as well: there the difference is one that RFC 6455 allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket_servers
from websocket_breakages import BREAKAGES, HONEST, MODULES
from websocket_desk import Desk
from websocket_probes import PROBES, Probe


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk
    assert not desk.raised


def those(kind: str, code: int = 0) -> set[str]:
    return {name for name, probe in PROBES.items() if probe.kind == kind and probe.code == code}


def echoes(*firsts: bytes) -> set[str]:
    """Those in whose honest answer a message is sent back."""
    return {name for name, probe in PROBES.items() if probe.frames[:1] in firsts} | {"ping between"}


GROUPS: dict[str, set[str]] = {
    "EVERYTHING": set(PROBES),
    "ACCEPTED": set(PROBES) - those("refused"),
    "REFUSED": those("refused"),
    "OPENINGS": those("opening"),
    "MESSAGES": echoes(b"\x81", b"\x82"),
    "TEXTS": echoes(b"\x81"),
    "PINGS": {"ping", "empty ping", "ping of 125", "ping between"},
    "CLOSES": those("closed"),
    "FAIL_1002": those("failed", 1002),
    "FAIL_1007": those("failed", 1007),
    "FAIL_1009": those("failed", 1009),
}

SHOWS = {
    "honest": "",
    "honest_fragments": "MESSAGES",
    "honest_pongs": "ACCEPTED",
    "honest_pings": "ACCEPTED",
    "honest_latest_ping": "",
    "honest_other_heads": "ACCEPTED | no upgrade | version 25 | version 013 | no version | two versions",
    "honest_hints": "ACCEPTED",
    "honest_octets": "",
    "honest_drops": "FAIL_1002 | FAIL_1007 | FAIL_1009 | REFUSED | not no upgrade | not upgrade to h2c"
    " | not version 25 | not version 013 | not no version | not two versions | not path",
    "honest_resets": "FAIL_1002 | FAIL_1007 | FAIL_1009",
    "honest_terse": "CLOSES | not close without a code",
    "honest_normal": "CLOSES | FAIL_1009",
    "honest_lenient": "length in 16 bits | length in 64 bits",
    "honest_any_path": "path",
    "honest_keys": "key of 15 | key of 17",
    "honest_keeps_http": "REFUSED | not http/1.0 | not no http",
    "garbage_for_http": "EVERYTHING",
    "nulls_for_http": "EVERYTHING",
    "endless_status_line": "EVERYTHING",
    "endless_head": "EVERYTHING",
    "endless_continue": "EVERYTHING",
    "huge_content_length": "EVERYTHING",
    "half_a_head": "EVERYTHING",
    "silent": "EVERYTHING",
    "resets_at_once": "EVERYTHING",
    "closes_at_once": "EVERYTHING",
    "resets_at_request": "EVERYTHING",
    "garbage_for_frames": "ACCEPTED",
    "frame_of_2_to_the_63": "ACCEPTED",
    "frame_of_2_to_the_62": "ACCEPTED",
    "message_without_end": "ACCEPTED",
    "fin_in_a_frame": "ACCEPTED",
    "reset_in_a_frame": "ACCEPTED",
    "fin_without_close": "MESSAGES",
    "http_2": "ACCEPTED",
    "close_unanswered": "CLOSES",
    "close_answered_by_1002": "CLOSES",
    "close_said_twice": "CLOSES",
    "close_answered_by_1005": "close without a code",
    "close_answered_by_1006": "CLOSES",
    "close_answered_by_1015": "CLOSES",
    "close_answered_by_999": "CLOSES",
    "close_code_in_host_order": "CLOSES | not close without a code",
    "close_with_half_a_code": "CLOSES",
    "close_with_bad_reason": "CLOSES",
    "close_with_126_octets": "CLOSES",
    "close_in_fragments": "CLOSES",
    "data_after_close": "CLOSES",
    "ping_after_close": "CLOSES",
    "serves_after_close": "behind a close",
    "serves_before_close": "behind a close",
    "close_waits_for_message": "close between fragments",
    "waits_for_fin": "CLOSES",
    "never_closes_tcp": "CLOSES",
    "resets_after_close": "CLOSES",
    "half_a_code_accepted": "close of one octet",
    "any_code_sent_back": "close 0 | close 999 | close 1004 | close 1005 | close 1006 | close 1015 | close 1016"
    " | close 2999 | close 5000 | close 65535",
    "bad_reason_accepted": "close with a bad reason",
    "private_codes_refused": "close 3000 | close 4999",
    "reason_refused": "close with a reason | close with a bad reason",
    "empty_close_refused": "close without a code",
    "masks": "ACCEPTED",
    "masks_with_zeros": "ACCEPTED",
    "length_125_in_16_bits": "binary of 125 | ping of 125",
    "length_126_in_7_bits": "binary of 126 | binary of 127 | text of 126",
    "length_65535_in_64_bits": "binary of 65535",
    "length_65536_in_16_bits": "binary of 65536",
    "length_in_host_order": "binary of 126 | binary of 127 | text of 126",
    "length_always_in_64_bits": "ACCEPTED | not binary of 65536",
    "rsv1_in_text": "TEXTS",
    "rsv3_in_pong": "OPENINGS | PINGS",
    "text_comes_back_binary": "TEXTS",
    "type_of_fragments_forgotten": "fragments of binary",
    "messages_never_end": "MESSAGES",
    "fragments_all_of_type_text": "text | binary | key of zeros | binary of 125 | binary of 126 | binary of 127"
    " | binary of 65535 | binary of 65536 | text of 126 | three fragments | fragments of binary | split character"
    " | four octets a character | last of unicode | octet by octet | cut in the payload | ping between"
    " | orphan behind a message",
    "pong_in_fragments": "ping | ping of 125",
    "text_cut_in_a_character": "TEXTS | not empty text",
    "echo_in_reserved_opcode": "empty binary | binary | binary of 125 | binary of 126 | binary of 127"
    " | binary of 65535 | binary of 65536 | fragments of binary | two messages together | cut in the payload",
    "empty_message_dropped": "empty text | empty binary",
    "middle_fragment_lost": "three fragments",
    "fragments_reversed": "three fragments | fragments of binary | split character | ping between"
    " | orphan behind a message",
    "fragments_sent_back_as_messages": "three fragments | fragments of binary | empty fragments | split character"
    " | ping between | orphan behind a message",
    "fragments_refused": "three fragments | fragments of binary | empty fragments | split character"
    " | ping between | orphan behind a message",
    "empty_fragments_refused": "empty fragments",
    "messages_run_together": "two messages together | five hundred messages",
    "messages_swapped": "two messages together",
    "echo_one_behind": "MESSAGES",
    "tires_of_messages": "five hundred messages",
    "one_frame_a_segment": "fragments of binary | empty fragments | two messages together | five hundred messages"
    " | ping between",
    "frame_in_one_segment_only": "octet by octet | cut in the payload | length 2^62",
    "unmasks_each_segment_anew": "binary of 65536 | octet by octet | cut in the payload",
    "mask_of_zeros_refused": "key of zeros",
    "binary_must_be_text": "binary | fragments of binary",
    "ping_unanswered": "OPENINGS | PINGS",
    "pong_without_payload": "ping | ping of 125 | ping between",
    "pong_with_its_own_payload": "OPENINGS | PINGS",
    "pong_cut_to_64": "ping of 125",
    "pong_still_masked": "ping | ping of 125 | ping between",
    "ping_answered_by_ping": "OPENINGS | PINGS",
    "pong_waits_for_message": "ping between",
    "ping_breaks_message": "ping between",
    "pong_answered": "pong unasked",
    "pong_unasked_refused": "pong unasked",
    "accept_of_the_key_alone": "ACCEPTED",
    "accept_of_the_guid_in_lower_case": "ACCEPTED",
    "accept_of_the_decoded_key": "ACCEPTED",
    "accept_of_the_untrimmed_key": "key between blanks",
    "accept_in_hexadecimal": "ACCEPTED",
    "accept_without_padding": "ACCEPTED",
    "accept_missing": "ACCEPTED",
    "accept_twice": "ACCEPTED",
    "status_200": "ACCEPTED",
    "upgrade_missing": "ACCEPTED",
    "upgrade_to_something_else": "ACCEPTED",
    "connection_missing": "ACCEPTED",
    "connection_keep_alive": "ACCEPTED",
    "subprotocol_not_offered": "ACCEPTED",
    "subprotocol_empty": "ACCEPTED | not offer | not offer in two fields",
    "subprotocols_all": "offer | offer in two fields | offer unknown",
    "subprotocol_twice": "offer | offer in two fields",
    "extension_not_offered": "ACCEPTED",
    "extensions_empty": "ACCEPTED",
    "lines_end_bare": "ACCEPTED",
    "frame_before_101": "ACCEPTED",
    "response_twice": "ACCEPTED",
    "body_with_101": "ACCEPTED",
    "request_in_one_segment_only": "opening in pieces",
    "version_ignored": "version 25 | version 013",
    "no_version_needed": "no version",
    "versions_twice_accepted": "two versions",
    "version_not_told": "version 25 | version 013 | no version | two versions",
    "refusal_says_200": "REFUSED",
    "no_key_needed": "no key",
    "key_in_any_letters": "key of 15 | key of 17 | key in other letters",
    "keys_twice_accepted": "two keys",
    "post_accepted": "post",
    "http_1_0_accepted": "http/1.0",
    "no_host_needed": "no host",
    "hosts_twice_accepted": "two hosts",
    "no_upgrade_needed": "no upgrade | upgrade to h2c",
    "no_connection_needed": "no connection | connection close",
    "malformed_extensions_accepted": "extensions: ; | extensions: quoted",
    "malformed_subprotocols_accepted": "subprotocols: blank",
    "close_frame_after_refusal": "REFUSED",
    "frames_served_after_refusal": "REFUSED",
    "names_of_fields_exact": "names in other cases",
    "upgrade_in_lower_case_only": "upgrade in capitals",
    "connection_in_upper_case_only": "connection in lower case",
    "connection_no_list": "connection is a list",
    "order_of_fields_fixed": "fields in another order",
    "unknown_fields_refused": "more fields",
    "absolute_uri_refused": "whole uri",
    "subprotocols_of_the_first_line_only": "offer in two fields",
    "unmasked_accepted": "unmasked text | unmasked ping | unmasked close",
    "unmasked_control_accepted": "unmasked ping | unmasked close",
    "rsv1_accepted": "rsv1 text",
    "rsv2_accepted": "rsv2 text | rsv2 ping",
    "rsv3_accepted": "rsv3 text | ping behind a bad frame",
    "rsv_of_control_accepted": "rsv2 ping",
    "rsv_of_continuation_accepted": "rsv12 continuation",
    "opcode_3_dropped": "opcode 3",
    "opcode_4_dropped": "opcode 4",
    "opcode_5_dropped": "opcode 5",
    "opcode_6_dropped": "opcode 6",
    "opcode_7_dropped": "opcode 7",
    "opcode_11_dropped": "opcode 11",
    "opcode_12_dropped": "opcode 12",
    "opcode_13_dropped": "opcode 13",
    "opcode_14_dropped": "opcode 14",
    "opcode_15_dropped": "opcode 15",
    "fragmented_ping_accepted": "ping with fin 0",
    "long_ping_accepted": "ping of 126",
    "fragmented_pong_accepted": "pong with fin 0",
    "long_pong_accepted": "pong of 126",
    "fragmented_close_accepted": "close with fin 0",
    "long_close_accepted": "close of 126",
    "length_2_to_the_63_accepted": "length 2^63",
    "interleaved_accepted": "text in a message | binary fragment in a message",
    "orphan_accepted": "orphan | orphan with fin 0 | orphan behind a message",
    "orphan_dropped": "orphan | orphan with fin 0 | orphan behind a message",
    "too_big_dropped": "FAIL_1009",
    "utf8_unchecked": "FAIL_1007 | not close with a bad reason",
    "utf8_of_fragments_unchecked": "utf-8: in fragments",
    "utf8_overlong_accepted": "utf-8: overlong",
    "utf8_surrogates_accepted": "utf-8: surrogate",
    "utf8_beyond_unicode_accepted": "utf-8: beyond",
    "utf8_cut_accepted": "utf-8: cut",
    "utf8_split_refused": "split character",
    "goes_on_behind_bad_frame": "ping behind a bad frame",
    "bad_text_delivered": "FAIL_1007 | not close with a bad reason",
    "protocol_error_closes_with_1000": "FAIL_1002",
    "protocol_error_closes_with_1006": "FAIL_1002",
    "bad_text_closes_with_1000": "FAIL_1007",
    "bad_text_closes_with_1009": "FAIL_1007",
    "too_big_closes_with_1000": "FAIL_1009",
    "failure_without_tcp_close": "FAIL_1002 | FAIL_1007 | FAIL_1009",
}
"""For each server the questions that it answers otherwise than `honest`."""


def predicted(name: str) -> set[str]:
    shows: set[str] = set()
    for term in SHOWS[name].split(" | ") if SHOWS[name] else []:
        if term.startswith("not "):
            assert term[4:] in shows, term
            shows.remove(term[4:])
        else:
            assert term in GROUPS or term in PROBES, term
            shows |= GROUPS.get(term, {term})
    return shows


def test_every_server_has_a_prediction() -> None:
    assert list(SHOWS) == [*HONEST, *BREAKAGES]
    assert all(SHOWS[name] for name in BREAKAGES)


def test_no_two_breakages_are_the_same() -> None:
    assert len({breakage.rules for breakage in BREAKAGES.values()}) == len(BREAKAGES)
    assert len({breakage.text for breakage in BREAKAGES.values()}) == len(BREAKAGES)


def test_the_servers_know_nothing_of_the_lab_nor_of_a_websocket_library() -> None:
    for module in MODULES:
        assert module.__file__
        text = Path(module.__file__).read_text()
        for other in ("lab", "wsproto", "websockets", "h11"):
            assert f"import {other}" not in text
            assert f"from {other}" not in text


@pytest.mark.parametrize("name", SHOWS)
def test_a_server_differs_where_it_says_and_nowhere_else(name: str, desk: Desk) -> None:
    serve = getattr(websocket_servers, name if name in HONEST else f"broken_{name}")
    differs = {question for question, probe in PROBES.items() if probe.differs(serve, desk)}
    assert differs == predicted(name)


@pytest.mark.parametrize("question", ["opening", "post", "text", "unmasked text", "close 1000", "offer"])
def test_a_probe_can_fail(question: str, desk: Desk) -> None:
    """Each part of the expected answer, changed, is missed."""
    probe = PROBES[question]
    honest = websocket_servers.honest  # type: ignore[attr-defined]
    assert not probe.differs(honest, desk)
    changes: list[dict[str, object]] = [{"end": "fin" if not probe.end else ""}, {"frames": b"\x8a\0\x8a\0"}]
    changes += [{"code": 1003}, {"head": probe.head + b"X: y\r\n"}]
    if probe.status:
        changes = [*changes[::3], {"status": 404}]
    for change in changes:
        assert Probe(**{**vars(probe), **change}).differs(honest, desk), change  # type: ignore[arg-type]
