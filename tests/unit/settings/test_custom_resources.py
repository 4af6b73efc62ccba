"""`customResources` of the configuration: every key reaches the kind, and each fault names its key path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from launch_agent.core.kinds import GENERIC, Entry, Kind, Kinds, PodTemplate, States
from launch_agent.core.models import JobState
from launch_agent.settings import custom_resources, document, reading, schema
from launch_agent.settings.loading import Need, load
from launch_agent.settings.model import Flags

ROOT = Path(__file__).resolve().parents[3]

FULL = """
customResources:
  - group: example.com
    kind: TrainingRun
    podTemplates: [spec.lead, {path: "spec.workers[].template", main: trainer}]
    containers: [spec.step]
    podMetadata: [spec.podMetadata]
    phases:
      - path: status.phase
        states: {Working: running, Done: finished, Parked: waiting}
    conditions: {Broken: failed, Cancelled: stopped}
    endless: true
    entry: text
    entrypoint: spec.command
    ttl: spec.ttlSeconds
    suspend: spec.hold
    podSelector: example.com/run={name}
    nameLimit: 40
"""


def judge(text: str) -> tuple[dict[str, Any], list[str]]:
    values, problems, _ = reading.judge(document.parse(text, "config"))
    return values, [f"{one.path}: {one.summary} → {one.cure}" for one in problems]


def test_every_key_reaches_the_kind() -> None:
    values, problems = judge(FULL)
    assert problems == []
    assert custom_resources.read(values) == (
        Kind(
            group="example.com",
            kind="TrainingRun",
            templates=(PodTemplate("spec.lead"), PodTemplate("spec.workers[].template", "trainer")),
            containers=("spec.step",),
            pod_metadata=("spec.podMetadata",),
            states=States(
                phases=(
                    (
                        "status.phase",
                        {"working": JobState.RUNNING, "done": JobState.FINISHED, "parked": JobState.UNKNOWN},
                    ),
                ),
                conditions={"broken": JobState.FAILED, "cancelled": JobState.STOPPED},
            ),
            is_endless=True,
            entry=Entry.TEXT,
            entrypoint="spec.command",
            ttl="spec.ttlSeconds",
            suspend="spec.hold",
            pod_selector="example.com/run={name}",
            name_limit=40,
        ),
    )


def test_the_full_example_uses_every_key_of_the_schema() -> None:
    entry = schema.load()["properties"]["customResources"]["items"]
    assert [key for key in entry["properties"] if f"{key}:" not in FULL] == []


def test_a_kind_without_states_is_read_by_the_usual_words_and_its_templates_by_their_shape() -> None:
    values, problems = judge("customResources: [{group: example.com, kind: Run, ttl: null}]")
    assert problems == []
    (kind,) = custom_resources.read(values)
    assert (kind.states is GENERIC, kind.entry, kind.name_limit, kind.ttl) == (True, Entry.EACH, 57, "")
    body: dict[str, Any] = {"spec": {"template": {"spec": {"containers": []}}}}
    found = Kinds([kind]).find("example.com/v7", "Run", body)
    assert (found.is_known, found.templates) == (True, (PodTemplate("spec.template"),))


def test_null_is_no_kind() -> None:
    assert custom_resources.read(judge("customResources: null")[0]) == ()
    assert custom_resources.read({}) == ()


FAULTY_KEYS = [
    ("podTemplate: []", "podTemplate", "did you mean `podTemplates`?"),
    ("podTemplates: spec.x", "podTemplates", "a list of places"),
    ("podTemplates: [spec..x]", "podTemplates[0]", "character 5"),
    ("podTemplates: ['']", "podTemplates[0]", "a place"),
    ("podTemplates: ['[]']", "podTemplates[0]", "begins with no key"),
    ("podTemplates: [{main: x}]", "podTemplates[0]", "`path`"),
    ("podTemplates: [{path: 'spec.x[', main: x}]", "podTemplates[0].path", "character 7"),
    ("podTemplates: [{path: spec.x, main: A B}]", "podTemplates[0].main", "the name of a container"),
    ("containers: [7]", "containers[0]", "a place"),
    ("containers: ['spec.']", "containers[0]", "character 5"),
    ("podMetadata: ['spec x[y]']", "podMetadata[0]", "character 7"),
    ("phases: {}", "phases", "a list of maps"),
    ("phases: [{path: status.phase}]", "phases[0]", "`states`"),
    ("phases: [{path: status.phase, states: {}}]", "phases[0].states", "a map of texts to states"),
    ("phases: [{path: status.phase, states: {Done: done}}]", "phases[0].states.Done", "allowed are `starting`"),
    ("conditions: {Done: finishd}", "conditions.Done", "`finished`?"),
    ("conditions: [Done]", "conditions", "a map of conditions"),
    ("endless: 'yes'", "endless", "true or false"),
    ("entry: all", "entry", "allowed are `each`"),
    ("entry: text", "entry", "`entrypoint`"),
    ("entrypoint: spec.x", "entrypoint", "needs the key `entry` beside it"),
    ("entry: lead, entrypoint: spec.x", "entrypoint", "`entry: text` only"),
    ("entry: text, entrypoint: 'spec.x[].y'", "entrypoint", "several places"),
    ("ttl: 'spec.*'", "ttl", "several places"),
    ("ttl: 60", "ttl", "a place"),
    ("suspend: 'a[].b'", "suspend", "several places"),
    ("podSelector: run=x", "podSelector", "{name}"),
    ("nameLimit: 80", "nameLimit", "30 to 63"),
]
"""Keys of a kind that is fine without them, the fault's place in that kind, and the words."""


@pytest.mark.parametrize(
    ("entry", "path", "words"),
    [
        ("5", "customResources[0]", "found `5`"),
        ("{kind: Run}", "customResources[0]", "lacks the key `group`"),
        ("{group: example.com}", "customResources[0]", "lacks the key `kind`"),
        ("{group: Example, kind: Run}", "customResources[0].group", "an API group"),
        ("{group: a.b/v1, kind: Run}", "customResources[0].group", "an API group"),
        ("{group: '', kind: Pod}", "customResources[0].group", "an API group"),
        ("{group: a.b, kind: run}", "customResources[0].kind", "the name of a kind"),
        ("{group: a.b, kind: 3}", "customResources[0].kind", "in quotes"),
        ("{group: batch, kind: Job}", "customResources[0].kind", "Kubernetes' own Job"),
        ("{group: a.b, kind: Run}, {group: a.b, kind: Run}", "customResources[1]", "again, as customResources[0]"),
        *(
            (f"{{group: a.b, kind: Run, {key}}}", f"customResources[0].{path}", words)
            for key, path, words in FAULTY_KEYS
        ),
    ],
)
def test_a_fault_names_its_key_path_and_what_is_allowed(entry: str, path: str, words: str) -> None:
    _, problems = judge(f"customResources: [{entry}]")
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"{path}: ")
    assert words in problems[0]


def test_a_fault_in_one_entry_hides_no_other_problem_of_the_file() -> None:
    _, problems = judge("max_jobs: x\ncustomResources: [{group: a.b, kind: run}]")
    assert [one.split(":")[0] for one in problems] == ["max_jobs", "customResources[0].kind"]


def test_the_settings_hold_the_kinds(tmp_path: Path) -> None:
    file = tmp_path / "launch-config.yaml"
    file.write_text(f"queues: [gpu]\n{FULL}", encoding="utf-8")
    found = load(Flags(config=file), {}, home=tmp_path, need=Need.FILE, service_account=tmp_path)
    assert [kind.kind for kind in found.custom_resources] == ["TrainingRun"]


def test_every_key_of_an_entry_is_documented_and_every_documented_one_is_there() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    found = re.search(r"^## Custom resources$(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    named = set(re.findall(r"^\| `([\w.\[\]]+)` \|", found[1], re.MULTILINE))
    assert named == set(schema.load()["properties"]["customResources"]["items"]["properties"])
