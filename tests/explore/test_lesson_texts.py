"""The lessons' files: the same keys and placeholders in both languages, every sentence of the model in Chinese."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lesson_mistakes import MISTAKES

import lab.tcp
from lab.explore.commands.table import find
from lab.explore.lessons import LANGUAGES, NAMES
from lab.explore.lessons import lesson as lessons
from lab.explore.lessons.lesson import LessonError, load

FOLDER = Path(lessons.__file__).parent
CHINESE = re.compile("[一-鿿]")


def test_the_files_are_those_of_the_names() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(NAMES)
    for language in LANGUAGES:
        names = {path.stem for path in (FOLDER / language).glob("*.toml")} - {"why"}
        assert names == {*NAMES, "common"}, language


def leaves(table: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{at}{key}.")
        else:
            yield at + key, value


def placeholders(value: Any) -> list[set[str]]:
    texts = [value] if isinstance(value, str) else value
    return [{name for _, name, _, _ in string.Formatter().parse(text) if name is not None} for text in texts]


@pytest.mark.parametrize("name", [*NAMES, "common"])
def test_both_languages_say_the_same_things(name: str) -> None:
    english, chinese = (dict(leaves(lessons._toml(f"{language}/{name}.toml"))) for language in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for key, value in english.items():
        if key.endswith("answers"):
            continue  # words that mean the same are as many as a language has
        assert placeholders(value) == placeholders(chinese[key]), key
        assert not CHINESE.search(str(value)), key
        for text in [chinese[key]] if isinstance(value, str) else chinese[key]:
            assert CHINESE.search(text) or text.startswith(("FIN", "{state}")), (key, text)


@pytest.mark.parametrize("name", [*NAMES, "common"])
def test_chinese_is_set_with_its_own_marks(name: str) -> None:
    for key, value in leaves(lessons._toml(f"zh/{name}.toml")):
        for text in [value] if isinstance(value, str) else value:
            found = re.search(
                r"[一-鿿][,;:?!]|[，。；：？！]\s\S|[一-鿿] [一-鿿]", lessons._joined(text).replace("\n", "")
            )
            assert not found, (key, found)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_filled_in(name: str, language: str) -> None:
    lesson = load(name, language)
    filled = dict.fromkeys(lessons.PLACEHOLDERS, "1")
    for text in [*lesson.texts.own.values(), *(h for hints in lesson.texts.hints.values() for h in hints)]:
        assert "{" not in text.format(**filled)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_step_takes_is_a_command(name: str) -> None:
    for stage in load(name, "en").stages:
        for line in (*(stage.begins or ()), *stage.types):
            find(line)
        looks = {way.when.looks for way in stage.fulfilled} - {""}
        refused = {way.when.refused for way in stage.fulfilled} - {""}
        for one in looks | refused:
            assert find(one)[0].name == one


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_with_a_text_is_tried(name: str) -> None:
    wrong = {stage.id: {way.id for way in stage.wrong} for stage in load(name, "en").stages if stage.wrong}
    assert {step: set(mistakes) for step, mistakes in MISTAKES[name].items()} == wrong


# The model's own sentences


def said_by_the_model() -> dict[str, str]:
    """Each sentence that `lab.tcp` explains itself with, {} for what is filled in, and where it stands."""
    found: dict[str, str] = {}
    for path in sorted(Path(lab.tcp.__file__ or "").parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "explain":
                if ast.unparse(node.func.value) == "self._explainer":
                    continue  # of another kind: it explains a segment, and takes no sentence
                for text in sentences(node.args[0], constants):
                    found.setdefault(text, f"{path.name}:{node.lineno}")
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("(world.why"):
                assert isinstance(node.value, ast.Tuple)
                for text in sentences(node.value.elts[0], constants):
                    found.setdefault(text, f"{path.name}:{node.lineno}")
    return found


def sentences(node: ast.expr, constants: dict[str, ast.expr]) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            return ["".join(v.value if isinstance(v, ast.Constant) else "{}" for v in values)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*sentences(body, constants), *sentences(orelse, constants)]
        case ast.Name(id=name):
            return sentences(constants[name], constants)
    raise AssertionError(f"{ast.unparse(node)} is a sentence that this test cannot read")


def test_every_sentence_of_the_model_has_a_chinese_one() -> None:
    chinese, spoken = lessons._toml("zh/why.toml"), said_by_the_model()
    assert len(spoken) > 80
    assert {text: at for text, at in spoken.items() if text not in chinese} == {}
    assert [text for text in chinese if text not in spoken] == [], "the model says that no more"
    for english, words in chinese.items():
        assert CHINESE.search(words)
        assert english.count("{}") == words.count("{}"), english


def test_a_sentence_of_the_model_is_told_in_the_lessons_language() -> None:
    english = "the peer refuses the connection"
    assert load("three-way", "zh").texts.why(english) == "对端拒绝连接"
    assert load("three-way", "en").texts.why(english) == english
    assert load("three-way", "zh").texts.why("something new") == "something new"


def test_what_is_filled_in_comes_along() -> None:
    pattern = lessons._pattern("waits {} s for {}.")
    found = pattern.fullmatch("waits 2 s for FIN+ACK.")
    assert found is not None
    assert "{1} 等待 {0} 秒".format(*found.groups()) == "FIN+ACK 等待 2 秒"


# Files that are wrong

GOOD_STRUCTURE: dict[str, Any] = {
    "step": [{"id": "syn", "begins": [], "types": ["syn"], "fulfilled": [{"sends": {"flags": "S"}}]}]
}
GOOD_TEXTS: dict[str, Any] = {
    "title": "T",
    "intro": "I",
    "summary": "S",
    "syn": {"ask": "Ask.", "hints": ["Type `{type}`."], "right": "Right."},
}


def read(monkeypatch: pytest.MonkeyPatch, structure: dict[str, Any], texts: dict[str, Any]) -> lessons.Lesson:
    files = {"three-way.toml": structure, "en/three-way.toml": texts, "en/common.toml": {}}
    monkeypatch.setattr(lessons, "_toml", lambda name: files[name])
    return load.__wrapped__("three-way", "en")


def with_step(**changes: Any) -> dict[str, Any]:
    [step] = GOOD_STRUCTURE["step"]
    return {"step": [{key: value for key, value in {**step, **changes}.items() if value is not None}]}


def with_text(**changes: Any) -> dict[str, Any]:
    syn = {key: value for key, value in {**GOOD_TEXTS["syn"], **changes}.items() if value is not None}
    return {**GOOD_TEXTS, "syn": syn}


def test_the_smallest_lesson_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = read(monkeypatch, GOOD_STRUCTURE, GOOD_TEXTS)
    assert [stage.id for stage in lesson.stages] == ["syn"]
    assert lesson.texts.own["ask.syn"] == "Ask."


@pytest.mark.parametrize(
    ("structure", "texts", "says"),
    [
        ({}, GOOD_TEXTS, "three-way.toml: the first step has to begin a part"),
        (with_step(begins=None), GOOD_TEXTS, "three-way.toml: the first step has to begin a part"),
        (with_step(types=None), GOOD_TEXTS, "three-way.toml: step 1: types is missing"),
        (with_step(fulfilled=[]), GOOD_TEXTS, "three-way.toml: step 1: fulfilled is missing"),
        (with_step(fulfilled=[{}]), GOOD_TEXTS, "three-way.toml: step 1: fulfilled holds whatever happens"),
        (with_step(wrong=[{"lab": "CLOSED"}]), GOOD_TEXTS, "three-way.toml: step 1: what is wrong needs an id"),
        (with_step(typs=["syn"]), GOOD_TEXTS, "three-way.toml: step 1: there is no key typs here"),
        (with_step(fulfilled=[{"sents": {}}]), GOOD_TEXTS, "step 1: there is no key sents here"),
        (with_step(fulfilled=[{"sends": {"flag": "S"}}]), GOOD_TEXTS, "step 1: sends: there is no key flag here"),
        (with_step(lab="OPEN"), GOOD_TEXTS, "three-way.toml: step 1: 'OPEN' is not a valid State"),
        (
            with_step(fulfilled=[{"lab": "CLOSED", "then": "ack"}]),
            GOOD_TEXTS,
            "three-way.toml: step syn: there is no step ack to go on with",
        ),
        (
            {"step": GOOD_STRUCTURE["step"] * 2},
            GOOD_TEXTS,
            "three-way.toml: two steps have the same id",
        ),
        (GOOD_STRUCTURE, {**GOOD_TEXTS, "intro": " "}, "en/three-way.toml: the text intro is missing"),
        (GOOD_STRUCTURE, {**GOOD_TEXTS, "ack": {}}, "en/three-way.toml: there is no key ack here"),
        (GOOD_STRUCTURE, with_text(ask=None), "en/three-way.toml: [syn]: the text ask is missing"),
        (GOOD_STRUCTURE, with_text(right=None), "en/three-way.toml: [syn]: the text right is missing"),
        (GOOD_STRUCTURE, with_text(wrong={"low": "no"}), "en/three-way.toml: [syn] wrong: there is no key low"),
        (GOOD_STRUCTURE, with_text(hints=["No."]), "the last of its hints has to say what to type"),
        (GOOD_STRUCTURE, with_text(right="{colour}"), "nothing is called {colour}"),
        (GOOD_STRUCTURE, with_text(right="{"), "in '{'"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(
    monkeypatch: pytest.MonkeyPatch, structure: dict[str, Any], texts: dict[str, Any], says: str
) -> None:
    with pytest.raises(LessonError) as caught:
        read(monkeypatch, structure, texts)
    assert says in str(caught.value)


def test_a_file_that_is_no_toml_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.toml").write_text("title = ", encoding="utf-8")
    monkeypatch.setattr(lessons, "files", lambda package: tmp_path)
    with pytest.raises(LessonError, match=r"lesson bad\.toml is no TOML: Invalid value"):
        lessons._toml.__wrapped__("bad.toml")
    with pytest.raises(LessonError, match=r"lesson none\.toml cannot be read"):
        lessons._toml.__wrapped__("none.toml")


def test_lines_of_a_file_are_joined() -> None:
    assert lessons._joined("\nOne\ntwo.\n\nThree.\n") == "One two.\nThree."
    assert lessons._joined("- one\n  more\n- two") == "- one more\n- two"
    assert lessons._joined("第一\n行，\nACK\n到达。\n`syn`\n发送") == "第一行，ACK 到达。`syn` 发送"
