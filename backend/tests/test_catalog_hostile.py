"""Files of plans that are made to cost much or to break what reads them: refused, soon, and with words."""

import random
import time

import pytest

from backend.catalog.document import InvalidCatalog, Problem, load
from backend.catalog.problems import nearest
from backend.catalog.reader import MOST_NAMES, MOST_PROBLEMS
from backend.tests.catalog_text import SMALL, changed

LONGEST = 60_000
SECONDS = 2.0
HEAD = "schema = 1\ncurrency = 'USD'\ndefault_plan = 'x'\n"
TOO_LONG = "0x" + "f" * 5_000


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidCatalog) as caught:
        load(text)
    return caught.value.problems


def alike(count: int) -> list[str]:
    """Names of the same letters in other orders: comparing them takes longest."""
    chance = random.Random(7)
    return ["".join(chance.sample("ab" * 30, 60)) for _ in range(count)]


def meters(keys: list[str]) -> str:
    return "".join(f"meters.{key} = {{}}\n" for key in keys)


def quotas(keys: list[str]) -> str:
    return "[plans.x.quotas]\n" + "".join(f"{key} = {{}}\n" for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 29_000 + " = 1",
        "[" + "a." * 29_000 + "a]",
        "x = {" + "a." * 29_000 + "a = 1}",
        "x = [{" + '"". ' * 15_000 + "a = 1}]",
        "x = " + "[" * 30_000,
        "x = " + "{a=" * 15_000,
        '"""' + '\\"""\n' * 10_000,
        HEAD + meters([f"abcdefghij{number:04d}" for number in range(1_000)]) + quotas(["abcdefghik"]),
        HEAD + meters(["x"]) + quotas([f"abcdefghik{number:04d}" for number in range(1_200)]),
        HEAD + meters(alike(100)) + quotas(alike(100)),
        HEAD + "".join(f"k{number} = 1\n" for number in range(6_000)),
        HEAD + "".join(f"[plans.p{number}]\nx = 1\n" for number in range(2_500)),
        HEAD + "[[plans.x.prices]]\n" * 3_000,
        HEAD + "features.x.name = 'x'\n[plans.x]\nfeatures = [" + "'y', " * 10_000 + "]",
    ],
    ids=range(14),
)
def test_the_longest_text_costs_little(text: str) -> None:
    began = time.thread_time()
    found = problems(text[:LONGEST])
    assert time.thread_time() - began < SECONDS
    assert 1 <= len(found) <= MOST_PROBLEMS + 1
    assert sum(len(str(problem)) for problem in found) < LONGEST


def test_how_deep_is_said_with_the_line_and_texts_and_comments_are_not_judged() -> None:
    dots, brackets = ".a" * 17, "[" * 17 + "]" * 17
    for deep in ("a" + dots + " = 1", "[a" + dots + "]", f"x = {brackets}", f"x = [\n{brackets}]"):
        (problem,) = problems(SMALL + deep + "\n")
        assert (problem.line, "too deeply" in problem.message) == (SMALL.count("\n") + 1 + deep.count("\n"), True)
    for shown in (f'"{dots} {brackets}"', f"'{dots} {brackets}'", f'"1.2 \\" {dots}"', f'"{"a.b, " * 20}"'):
        text, _ = changed('name = "Calls"', f'name = {shown}  # {dots} {brackets} "')
        assert load(text).meters[0].name.count(".") >= 17


def test_there_is_an_end_of_problems_and_it_is_said() -> None:
    for many in (MOST_PROBLEMS - 1, MOST_PROBLEMS, MOST_PROBLEMS + 50):
        found = problems("".join(f"unknown_{number} = 1\n" for number in range(many)) + SMALL)
        named = [problem for problem in found if problem.key.startswith("unknown_")]
        assert len(named) == min(many, MOST_PROBLEMS)
        assert [problem.line for problem in named] == sorted(problem.line or 0 for problem in named)
        assert ("there may be more" in found[0].message) == (many >= MOST_PROBLEMS)


def test_there_is_an_end_of_names() -> None:
    features = "".join(f"[features.f{number}]\nname = 'x'\n" for number in range(MOST_NAMES - 1))
    assert len(load(SMALL + features).features) == MOST_NAMES
    (problem,) = problems(SMALL + features + "[features.one_more]\nname = 'x'\n")
    assert (problem.key, "at most 100" in problem.message) == ("features", True)


@pytest.mark.parametrize("number", [TOO_LONG, "9" * 4_000, "9" * 5_000, str(2**63), str(-(2**63) - 1)])
@pytest.mark.parametrize(
    "before",
    [
        "schema = 1",
        'name = "Calls"',
        "rank = 10",
        "requests = 100",
        'features = ["export"]',
        'rate_limit_multiplier = "5.0"',
        'amount = "19.99"',
        "calls = { limit = 100",
    ],
)
def test_numbers_beyond_64_bits_are_refused_where_they_are(before: str, number: str) -> None:
    text, line = changed(before, before[: before.index("= ", before.find("limit ") + 1) + 2] + number)
    (problem,) = problems(text)
    assert (problem.line, problem.message) == (line, "this is not TOML: a whole number has at most 64 bits")


def test_numbers_of_64_bits_are_judged_by_what_they_are_for() -> None:
    for number in (2**63 - 1, -(2**63)):
        (problem,) = problems(changed("rank = 10", f"rank = {number}")[0])
        assert (problem.key, "must be from 0" in problem.message) == ("plans.pro.rank", True)
    (problem,) = problems(changed('features = ["export"]', f'features = ["export", [[{2**63}]]]')[0])
    assert problem.key == "plans.pro.features.1.0.0"


def test_what_is_long_is_quoted_in_short() -> None:
    (problem,) = problems(changed('timezone = "UTC"', f'timezone = "{"x" * 50_000}"')[0])
    assert len(str(problem)) < 400
    assert problem.message.endswith('x" is not a time zone')
    (problem,) = problems(SMALL + "k" * 50_000 + " = 1\n")
    assert len(str(problem)) < 800


def test_the_nearest_word_is_found_among_many() -> None:
    known = [*alike(90), "api_calls", "jobs", "storage"]
    assert [nearest(word, known) for word in ("api_cals", "JOB", "sotrage", "x", "s" * 1_000)] == [
        "api_calls",
        "jobs",
        "storage",
        None,
        None,
    ]


def test_no_mixture_gives_anything_but_problems() -> None:
    pieces = ['"', '"""', "'", "\\", "\n", "#", "=", ".", ",", "[", "]", "{", "}", "x = ", TOO_LONG, "9" * 30, "inf"]
    pieces += ["nan", "1e999999", "1.5", "0001-01-01", "9999-12-31T23:59:59-23:59", "\\u0000", "\\ud800", "\0", "\r\n"]
    chance = random.Random(11)
    for _ in range(500):
        text = SMALL
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(pieces) * chance.choice([1, 1, 2, 20]) + text[at + chance.randint(0, 9) :]
        try:
            load(text)
        except InvalidCatalog as error:
            assert all(problem.message for problem in error.problems)  # noqa: PT017 - a mixture may be right
