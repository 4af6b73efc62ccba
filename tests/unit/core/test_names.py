"""Names: valid whatever the parts are called, stable, unique."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core import names
from launch_agent.errors import SpecError

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


@pytest.mark.parametrize(
    ("entity", "project", "name"),
    [
        ("team", "vision", "launch-team-vision-#"),
        ("Team", "Vision_2", "launch-team-vision-2-#"),
        ("123", "456", "launch-123-456-#"),
        ("a.b", "v1.2", "launch-a-b-v1-2-#"),
        ("é", "日本", "launch-#"),
        ("team", "…", "launch-team-#"),
        ("e" * 60, "p", f"launch-{'e' * 37}-p-#"),
        ("e", "p" * 60, f"launch-e-{'p' * 37}-#"),
        ("e" * 60, "p" * 60, f"launch-{'e' * 19}-{'p' * 19}-#"),
    ],
)
def test_a_workload_is_named_after_entity_project_and_item(entity: str, project: str, name: str) -> None:
    digest = names.short_hash("item-1")
    assert names.object_name("item-1", entity, project) == name.replace("#", digest)


@given(st.text(), st.text(), st.text())
def test_a_generated_name_is_always_valid_stable_and_short(item_id: str, entity: str, project: str) -> None:
    name = names.object_name(item_id, entity, project)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= names.JOB_LIMIT
    assert "--" not in name
    assert name == names.object_name(item_id, entity, project)


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
def test_two_items_never_share_a_name_or_a_label(ids: list[str]) -> None:
    assert len({names.object_name(one, "team", "vision") for one in ids}) == len(ids)
    assert len({names.item_label(one) for one in ids}) == len(ids)


@pytest.mark.parametrize("prefix", ["train-", "train", "a.b-", "x" * 80])
def test_the_user_s_prefix_begins_the_name(prefix: str) -> None:
    name = names.object_name("item-1", "team", "vision", prefix)
    assert name == prefix[:47] + names.short_hash("item-1")
    assert len(name) <= names.JOB_LIMIT


@pytest.mark.parametrize("prefix", ["Train-", "-train", "my_run-", "train ", "a..b"])
def test_a_prefix_that_can_begin_no_name_is_refused(prefix: str) -> None:
    with pytest.raises(SpecError, match=r"metadata\.generateName: can not begin a name"):
        names.object_name("item-1", "team", "vision", prefix)


@pytest.mark.parametrize("name", ["a", "train-1", "a.b", "x" * 63])
def test_a_valid_name_of_the_user_s_is_kept(name: str) -> None:
    assert names.check_name(name, "metadata.name") == name


@pytest.mark.parametrize("name", ["Train", "a_b", "-a", "a-", "a..b", "", "x" * 64, "ü"])
def test_an_invalid_name_of_the_user_s_is_refused_at_its_key(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        names.check_name(name, "metadata.name")
    assert caught.value.path == "metadata.name"


@pytest.mark.parametrize("name", ["Jobs", "a.b", "", "x" * 64])
def test_an_invalid_namespace_is_refused_at_its_key(name: str) -> None:
    with pytest.raises(SpecError, match="namespace: is not a valid name of a namespace"):
        names.check_namespace(name, "namespace")


def test_a_valid_run_id_gives_w_and_b_s_name_of_the_secret() -> None:
    assert names.secret_name("abc12345") == "wandb-api-key-abc12345"


@given(st.text(), st.text())
def test_every_run_id_gives_a_valid_secret_of_its_own(one: str, other: str) -> None:
    name = names.secret_name(one)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= names.NAME_LIMIT
    assert (name == names.secret_name(other)) == (one == other)


@given(st.text())
def test_every_text_gives_a_valid_label(text: str) -> None:
    value = names.label_value(text)
    assert LABEL_VALUE.fullmatch(value)
    assert len(value) <= names.NAME_LIMIT
    assert names.label_value(value) == value


@pytest.mark.parametrize("text", ["abc", "A_b.c-1", "x" * 63, ""])
def test_a_valid_label_stays_as_it_is(text: str) -> None:
    assert names.label_value(text) == text
