"""Scripts of faults: what they may say, what is refused, when a rule bites. Pure."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from launch_server.errors import UsageError
from launch_server.faults.judge import Judge, draw, is_due, is_open
from launch_server.faults.operations import read_plain
from launch_server.faults.problems import ScriptError
from launch_server.faults.reading import load_script, read_script
from launch_server.faults.script import (
    At,
    Cut,
    Duplicate,
    Error,
    Hold,
    Latency,
    LoseReply,
    Match,
    Pass,
    Refuse,
    Rule,
    Script,
    Stale,
    Status,
    Then,
    When,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
WATCH = {"watch": True}


def one_rule(**keys: Any) -> dict[str, Any]:
    return {"rules": [{"fault": "pass", **keys}]}


@pytest.mark.parametrize(
    ("match", "fault", "read"),
    [
        ({}, "refuse", Refuse()),
        ({}, "lose-reply", LoseReply()),
        ({}, "pass", Pass()),
        ({}, "duplicate", Duplicate()),
        ({"operation": "popFromRunQueue"}, {"duplicate": "delivery"}, Duplicate(is_delivery=True)),
        ({}, {"latency": "250ms"}, Latency(0.25)),
        ({}, {"latency": {"seconds": 2, "jitter": "1m"}}, Latency(2.0, 60.0)),
        ({}, {"status": 503}, Status(503)),
        (
            {},
            {"status": {"code": 429, "retry_after": "2s", "body": {"a": 1}, "performed": True}},
            Status(429, '{"a": 1}', 2.0, performed=True),
        ),
        ({}, {"status": {"code": 500, "body": "plain"}}, Status(500, "plain")),
        ({}, {"error": "no"}, Error("no")),
        ({}, {"error": {"message": "no", "performed": True}}, Error("no", performed=True)),
        (WATCH, {"cut": {"events": 0}}, Cut(events=0)),
        (WATCH, {"cut": {"seconds": "10s"}}, Cut(seconds=10.0)),
        (WATCH, "stale", Stale()),
        ({"verb": "watch"}, {"stale": {"as": "event", "events": 2}}, Stale(is_event=True, events=2)),
        ({}, "hold", Hold()),
        ({}, {"hold": "after"}, Hold(At.AFTER)),
        ({}, {"hold": {"at": "after", "timeout": "1h", "then": "drop"}}, Hold(At.AFTER, 3600.0, Then.DROP)),
        ({}, {"hold": {"timeout": 0}}, Hold(timeout=0.0)),
    ],
)
def test_every_fault_has_a_short_and_a_long_form(match: Any, fault: Any, read: Any) -> None:
    assert read_script(one_rule(match=match, fault=fault)).rules[0].fault == read


def test_a_rule_is_read_whole() -> None:
    script = read_script({
        "seed": 7,
        "rules": [{
            "name": "all", "match": {"kind": ["Job", "NetworkPolicy"], "namespace": "team-*", "watch": False},
            "nth": [1, 3], "every": 2, "times": 4, "probability": 0.5, "after": 1, "for": "2s", "repeat": "5m",
            "fault": "refuse",
        }],
    })  # fmt: skip
    match = Match(resource=("jobs", "networkpolicies"), namespace=("team-*",), watch=False)
    when = When(frozenset({1, 3}), 2, 4, 0.5, 1.0, 2.0, 300.0)
    assert script == Script((Rule("all", Refuse(), match, when),), 7)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ([], "the script: [] is not an object. Write keys: seed, rules."),
        ({"rulez": []}, "rulez: this key is not known. Did you mean rules?"),
        ({"zzz": 1}, "zzz: this key is not known. Known: seed, rules."),
        ({"seed": -1}, "seed: -1 is no whole number from 0 on. Write 1, for example."),
        ({"rules": {}}, "rules: this is not a list. Write one rule per list item (`- match: …`)."),
        ({"rules": ["x"]}, "rules[0]: 'x' is not an object."),
        ({"rules": [{}]}, "rules[0]: the rule has no fault. Write fault: one of latency, status,"),
        (one_rule(probabilty=0.5), "rules[0].probabilty: this key is not known. Did you mean probability?"),
        (one_rule(probability=2), "rules[0].probability: 2 is no probability. Write a number from 0 to 1."),
        (one_rule(probability=True), "rules[0].probability: True is no probability."),
        (one_rule(nth=0), "rules[0].nth: 0 is no whole number from 1 on."),
        (one_rule(nth=[1, "2"]), "rules[0].nth[1]: '2' is no whole number from 1 on."),
        (one_rule(nth=[]), "rules[0].nth: the list is empty. Write a number, or leave the key out."),
        (one_rule(after="soon"), "rules[0].after: 'soon' is no time. Write seconds, or 250ms, 10s, 5m, 1h."),
        (one_rule(after=float("nan")), "rules[0].after: nan is no time."),
        (one_rule(repeat="5m"), "rules[0].repeat: a window that opens again must close before. Give `for`,"),
        (one_rule(match={"method": []}), "rules[0].match.method: [] is neither a text nor a list of texts."),
        (one_rule(match={"watch": "yes"}), "rules[0].match.watch: 'yes' is neither true nor false."),
        (
            one_rule(match={"operation": "x", "verb": "get"}),
            "rules[0].match: `operation` is of W&B's API, verb of a Kubernetes API server's. Make two rules of it.",
        ),
        (one_rule(fault="refuze"), "rules[0].fault: 'refuze' is not known. Did you mean refuse?"),
        (one_rule(fault={}), "rules[0].fault: this is not one fault. Write one of latency,"),
        (one_rule(fault={"refuse": 3}), "rules[0].fault.refuse: this fault has no options. Write fault: refuse."),
        (one_rule(fault="latency"), "rules[0].fault.latency: seconds is missing. Write seconds: …"),
        (
            one_rule(fault={"status": {"code": 500, "bodi": 3}}),
            "rules[0].fault.status.bodi: this key is not known. Did you mean body?",
        ),
        (one_rule(fault={"status": 99}), "rules[0].fault.status.code: 99 is no HTTP status. Write a number from 200"),
        (one_rule(fault={"error": 3}), "rules[0].fault.error.message: 3 is no text."),
        (one_rule(match={"verb": "get"}, fault={"error": "x"}), "rules[0]: an `error` is W&B's API's. Write status:"),
        (one_rule(fault="stale"), "rules[0]: only a watch is stale. Write watch: true in its match."),
        (
            one_rule(match=WATCH, fault={"stale": {"as": "gone", "events": 1}}),
            "rules[0].fault.stale.events: an answer of 410 has no events before it. Write as: event.",
        ),
        (one_rule(fault={"duplicate": "delivery"}), "rules[0]: only operations and watches are delivered."),
        (one_rule(match=WATCH, fault="cut"), "rules[0].fault.cut: events or seconds is missing."),
        (one_rule(match={"operation": "x"}, fault={"cut": {"events": 1}}), "rules[0]: only streams are cut."),
        (one_rule(fault={"hold": "befor"}), "rules[0].fault.hold.at: 'befor' is not known. Did you mean before?"),
        (one_rule(fault={"hold": {"then": "explode"}}), "rules[0].fault.hold.then: 'explode' is not known. Known:"),
        ({"rules": [{"name": "a", "fault": "pass"}] * 2}, "rules[1].name: 'a' is taken. Give each rule a name of its"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_cure(script: Any, problem: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_script(script)
    assert len(caught.value.problems) == 1, caught.value.problems
    assert caught.value.problems[0].startswith(problem)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rules", "seed", "match", "fault", "nth", "status", "hold", "cut", "code", "name", "after"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_values)
def test_whatever_is_given_is_a_script_or_a_list_of_mistakes(value: Any) -> None:
    script: Script | None = None
    problems: tuple[str, ...] = ()
    try:
        script = read_script(value)
    except ScriptError as error:
        problems = error.problems
    assert (script is None) is bool(problems)


def test_scripts_come_from_files_texts_and_the_short_form(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("rules:\n- fault: refuse\n")
    assert load_script(str(path)) == load_script('{"rules": [{"fault": "refuse"}]}')
    short = load_script("latency=50ms").rules[0]
    assert (short.fault, short.match) == (Latency(0.05), Match(path=("*/graphql",)))
    path.write_text("rules: [\n")
    for source, message in (
        (str(path), f"--faults {path}, line 2, column 1"),
        (str(tmp_path / "none"), "none cannot be read: No such file or directory"),
        ("latency=fast", "--faults 'latency=fast' is not known. Known: latency=50ms"),
        ("{rules: 3}", "--faults is no script of faults:\n  rules: this is not a list."),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            load_script(source)


def test_the_pages_script_is_one_and_the_page_names_every_key_and_fault() -> None:
    from launch_server.faults import reading

    page = PAGE.read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(read_script(yaml.safe_load(text)).rules) == 5
    words = {*reading.MATCH_KEYS, *reading.RULE_KEYS, *reading._READERS}
    words |= {option for options, _, _ in reading._READERS.values() for option in options}
    assert [word for word in sorted(words) if not re.search(rf"`{word}[`:]|\b{word}:", page)] == []


# ── when ──


@pytest.mark.parametrize(
    ("when", "bites"),
    [
        (When(), [1, 2, 3, 4, 5, 6]),
        (When(nth=frozenset({3})), [3]),
        (When(every=2), [2, 4, 6]),
        (When(times=2), [1, 2]),
        (When(every=2, times=2), [2, 4]),
        (When(nth=frozenset({1, 4}), every=4), [4]),
        (When(probability=0.0), []),
    ],
)
def test_conditions_hold_together(when: When, bites: list[int]) -> None:
    judge = Judge(Script((Rule("it", Refuse(), when=when),)))
    asked = read_plain("GET", "/x")
    assert [count for count in range(1, 7) if judge.judge(asked, 0.0)[0].bites] == bites


@pytest.mark.parametrize(
    ("when", "open_at", "closed_at"),
    [
        (When(), [0, 1e9], []),
        (When(after=10), [10, 1e9], [0, 9.9]),
        (When(lasts=10), [0, 9.9], [10, 1e9]),
        (When(after=5, lasts=10), [5, 14.9], [4.9, 15]),
        (When(after=5, lasts=10, repeat=20), [5, 14.9, 25, 34.9, 45], [0, 15, 24.9, 35, 44.9]),
    ],
)
def test_windows_open_and_close(when: When, open_at: list[float], closed_at: list[float]) -> None:
    assert all(is_open(when, second) for second in open_at)
    assert not any(is_open(when, second) for second in closed_at)


@pytest.mark.parametrize(
    ("when", "waits"),
    [
        (When(), {0: inf, 5: inf}),
        (When(after=10, lasts=5), {0: 10, 9: 1, 10: inf, 99: inf}),
        (When(after=10, lasts=5, repeat=20), {0: 10, 10: 20, 15: 15, 29: 1, 30: 20}),
        (When(after=10, times=1), {0: inf}),
    ],
)
def test_an_outage_is_foreseen_by_replies_that_go_on(when: When, waits: dict[float, float]) -> None:
    judge = Judge(Script((Rule("it", Refuse(), when=when), Rule("other", Pass(), when=When(after=1)))))
    asked = read_plain("GET", "/x")
    assert {elapsed: judge.seconds_to_outage(asked, elapsed) for elapsed in waits} == waits


def test_what_comes_while_the_window_is_closed_is_not_counted() -> None:
    judge = Judge(Script((Rule("it", Refuse(), when=When(nth=frozenset({2}), after=10)),)))
    asked = read_plain("GET", "/x")
    assert [judge.judge(asked, second) for second in (0, 5)] == [(), ()]
    assert [judge.judge(asked, second)[0].bites for second in (10, 11, 12)] == [False, True, False]


@given(st.integers(0, 2**64), st.text(), st.integers(1, 10**6))
def test_chances_depend_on_seed_name_and_count_alone(seed: int, name: str, count: int) -> None:
    assert 0 <= draw(seed, name, count) < 1
    assert draw(seed, name, count) == draw(seed, name, count)


def test_chances_come_near_their_probability_and_differ_by_seed() -> None:
    def bitten(seed: int) -> list[int]:
        when = When(probability=0.1)
        return [count for count in range(1, 10_001) if is_due(when, count, 0, draw(seed, "it", count))]

    assert 850 < len(bitten(1)) < 1150
    assert bitten(1) != bitten(2)
