"""The lab inside pytest, as a proxy's author would use it. Each test runs a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

PROXY = """
from scapy.layers.inet import TCP

from lab.scenario import Peer, Server


def test_a_half_close_is_taken_for_what_it_is(lab_peer: Peer, lab_server: Server) -> None:
    lab_server.listen()
    x, y = lab_peer.open()
    lab_peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    answer = lab_peer.expect(TCP(seq=y + 1, ack=x + 2))
    assert "R" not in answer.flags
"""

PROGRAM = """
from scapy.layers.inet import TCP

from lab.scenario import State


def test_it_opens_and_closes(lab_peer, lab_server):
    listener = lab_server.listen()
    x, y = lab_peer.open()
    lab_peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    lab_peer.expect(TCP(flags="A", ack=x + 2))
    listener.accept(lab_peer).close()
    lab_peer.expect(TCP(flags="FA", seq=y + 1))
    lab_server.is_in(State.LAST_ACK)
"""

WRONG = """
from scapy.layers.inet import TCP


def test_it_counts_the_fin_twice(lab_peer, lab_server):
    lab_server.listen()
    x, y = lab_peer.open()
    lab_peer.send(TCP(flags="FA", seq=x + 1, ack=y + 1))
    lab_peer.expect(TCP(flags="A", ack=x + 3))
"""

STORY = '''
from scapy.layers.inet import TCP

from lab.scenario import scenario


@scenario("A story", documents=["RFC 9293 §3.5"], evidence_for=["9293-3.5-fig6-B"])
def story(peer, server):
    """Told."""
    server.listen()
    peer.send(TCP(flags="S"))
    peer.expect(TCP(flags="{flags}"))
'''


@pytest.fixture
def inner(pytester: pytest.Pytester, sandbox_works: None) -> pytest.Pytester:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def lines(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines)


@pytest.mark.parametrize("text", [PROXY, PROGRAM], ids=["a proxy's author", "with the program"])
def test_fixtures_open_and_close(inner: pytest.Pytester, text: str) -> None:
    inner.makepyfile(text)
    inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_failure_speaks_the_labs_words(inner: pytest.Pytester) -> None:
    inner.makepyfile(test_wrong=WRONG)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    said = lines(result)
    assert 'lab_peer.expect(TCP(flags="A", ack=x + 3))' in said
    assert "expected 3" in said
    assert "observed 2" in said
    assert "CLOSE-WAIT" in said
    assert "RFC 9293 §3.10.7.4" in said
    assert "Traceback" not in said


def test_scenarios_are_collected_with_names_for_each_family(inner: pytest.Pytester) -> None:
    folder = inner.path / "stories" / "handshake"
    folder.mkdir(parents=True)
    (folder / "story.py").write_text(STORY.format(flags="SA"))
    result = inner.runpytest_subprocess("--lab-scenarios", "stories", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*handshake/story[[]ipv4[]] PASSED*", "*handshake/story[[]ipv6[]] PASSED*"])


def test_a_scenario_that_fails_tells_its_story(inner: pytest.Pytester) -> None:
    (inner.path / "stories").mkdir()
    (inner.path / "stories" / "story.py").write_text(STORY.format(flags="A"))
    inner.makepyfile(test_other="def test_other(): pass")
    result = inner.runpytest_subprocess("--lab-scenarios", "stories", "test_other.py")
    result.assert_outcomes(passed=1, failed=2)
    said = lines(result)
    assert 'peer.expect(TCP(flags="A"))' in said
    assert "flags" in said
    assert "frame 2" in said


def test_a_file_that_tells_no_story_is_a_sentence(inner: pytest.Pytester) -> None:
    (inner.path / "stories").mkdir()
    (inner.path / "stories" / "empty.py").write_text("")
    result = inner.runpytest_subprocess("--lab-scenarios", "stories")
    result.assert_outcomes(errors=1)
    assert "declares no scenario" in lines(result)


def test_options_that_do_not_go_together_are_usage_errors(inner: pytest.Pytester) -> None:
    inner.makepyfile(PROXY)
    result = inner.runpytest_subprocess("--lab-target", "198.51.100.1:80")
    assert "--lab-interface NAME" in lines(result) + "\n".join(result.errlines)
    assert result.ret != 0


def test_pytest_without_the_lab_imports_none_of_it(inner: pytest.Pytester) -> None:
    inner.makepyfile("import sys\ndef test_none(): assert not {'scapy', 'pyroute2', 'lab.scenario'} & set(sys.modules)")
    inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_readmes_test_is_this_one() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    assert PROXY.strip() in readme.read_text(encoding="utf-8")
