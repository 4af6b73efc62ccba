"""Variables that a release of W&B's shape repeats: an upgrade by Helm's client-side patch must lose none of them."""

import pytest

from tests.support.site import SHAPE, Json, Site

pytestmark = pytest.mark.apiserver

REPEATS = [
    ("DUP", "1"),
    ("DUP", "2"),
    ("WANDB_BASE_URL", "https://given.example.com"),
    ("WANDB_RELEASE_NAME", "given"),
    ("ONCE", "1"),
]
REFERENCE = {"WANDB_BASE_URL"}
"""What the chart itself sets to a reference."""


def given(site: Site, pairs: list[tuple[str, str]]) -> Json:
    return {**site.values, "additionalEnvVars": [{"name": name, "value": value} for name, value in pairs]}


def install(site: Site, pairs: list[tuple[str, str]]) -> None:
    """Only Helm 3 installs repeats."""
    site.create_namespace(site.agent)
    site.apply("install", given(site, pairs), chart=SHAPE, helm="helm3")


def upgrade(site: Site, pairs: list[tuple[str, str]], *flags: str) -> str:
    """Upgrade, and compare what the agent's process gets with what was given last."""
    notes = site.apply("upgrade", given(site, pairs), *flags)
    check(site, pairs)
    return notes


def check(site: Site, pairs: list[tuple[str, str]]) -> None:
    chart = {"WANDB_BASE_URL": "https://wandb.example.com", "WANDB_RELEASE_NAME": site.release}
    found = {
        name: chart["WANDB_BASE_URL"] if isinstance(value, dict) and name in REFERENCE else value
        for name, value in site.variables().items()
    }
    wanted = chart | dict(pairs)
    assert {name: found.get(name) for name in wanted} == wanted
    gone = {name for name, _ in REPEATS} - set(wanted)
    assert not gone & set(found)


def copies(site: Site, name: str) -> int:
    return sum(one["name"] == name for one in site.container()["env"])


def test_repeats_are_kept_through_upgrades_and_the_way_back_is_open(site: Site) -> None:
    install(site, REPEATS)
    notes = upgrade(site, REPEATS)
    assert "stand more than once" in notes
    for name in ("DUP", "WANDB_BASE_URL", "WANDB_RELEASE_NAME"):
        assert copies(site, name) == 2
        assert name in notes
    # Only that container was there before. Elsewhere, as in the pod of `helm test`, repeats might be refused.
    (step,) = site.deployment()["spec"]["template"]["spec"]["initContainers"]
    names = [one["name"] for one in step["env"]]
    assert len(names) == len(set(names))
    assert {one["name"]: one.get("value") for one in step["env"]}["DUP"] == "2"
    before = site.deployment()["metadata"]["generation"]
    upgrade(site, REPEATS)
    assert site.deployment()["metadata"]["generation"] == before
    site.manage("rollback", "1")
    check(site, REPEATS)


@pytest.mark.parametrize("flag", ["--reuse-values", "--reset-then-reuse-values"])
def test_repeats_in_reused_values_are_kept(site: Site, flag: str) -> None:
    install(site, REPEATS)
    site.apply("upgrade", None, flag)
    check(site, REPEATS)


CHANGES = {
    "values changed": [
        ("DUP", "1"), ("DUP", "3"), ("WANDB_BASE_URL", "https://new.example.com"), ("WANDB_RELEASE_NAME", "given"),
        ("ONCE", "2"), ("NEW", "n"),
    ],
    "repeats removed": [("DUP", "2")],
    "one more": [*REPEATS, ("DUP", "4")],
}  # fmt: skip


@pytest.mark.parametrize("pairs", CHANGES.values(), ids=CHANGES)
def test_repeats_that_change_in_the_same_upgrade_are_right_at_once_and_after_the_next(
    site: Site, pairs: list[tuple[str, str]]
) -> None:
    install(site, REPEATS)
    upgrade(site, pairs)
    upgrade(site, pairs)
    assert copies(site, "DUP") <= 1
    upgrade(site, [("ONCE", "5"), ("DUP", "6")])


def test_an_upgrade_that_failed_after_its_patch_is_made_good_by_the_next(site: Site) -> None:
    install(site, REPEATS)
    values = given(site, [("DUP", "2")])
    values["agent"] = {**values["agent"], "podAnnotations": {"sim.launch-agent/waiting": "ImagePullBackOff"}}
    site.refuse("upgrade", values, "--wait", "--timeout", "1s")
    upgrade(site, [("DUP", "5")])
    upgrade(site, [("DUP", "5")])
    assert copies(site, "DUP") == 1


def test_after_repeats_have_changed_the_way_back_is_open_once_the_deployment_is_deleted(site: Site) -> None:
    install(site, REPEATS)
    assert "delete the Deployment first" in upgrade(site, [("DUP", "2")])
    site.remove("deployments", site.workload)
    site.manage("rollback", "1")
    check(site, REPEATS)


def test_a_repeat_that_wandbs_chart_added_by_an_upgrade_gets_the_value_that_was_meant(site: Site) -> None:
    """There the running Deployment has one copy only, with the first value, though the manifest has two."""
    install(site, [("DUP", "1")])
    site.apply("upgrade", given(site, [("DUP", "1"), ("DUP", "2")]), chart=SHAPE, helm="helm3")
    upgrade(site, [("DUP", "1"), ("DUP", "2")])
    upgrade(site, [("DUP", "1"), ("DUP", "2")])


@pytest.mark.usefixtures("wandb_alone")
def test_a_secret_variable_that_repeats_a_plain_one_counts_before_and_after(site: Site) -> None:
    site.ensure_namespace("wandb")
    values = {**given(site, [("TOKEN", "plain")]), "namespace": "wandb"}
    values["additionalSecretEnvVars"] = [{"name": "TOKEN", "value": "secret"}]
    site.apply("install", values, chart=SHAPE, helm="helm3")
    reference = {"secretKeyRef": {"name": "launch-agent-secret-env-vars", "key": "TOKEN"}}

    def last() -> object:
        (container,) = site.get("deployments", site.workload, "wandb")["spec"]["template"]["spec"]["containers"]
        return [one["valueFrom"] for one in container["env"] if one["name"] == "TOKEN"][-1]

    site.apply("upgrade", values)
    assert last() == reference
    site.apply("upgrade", {**values, "additionalEnvVars": []})
    site.apply("upgrade", {**values, "additionalEnvVars": []})
    assert last() == reference
    site.manage("uninstall")


def test_an_install_with_repeats_takes_the_last_once(site: Site) -> None:
    site.apply("install", given(site, REPEATS))
    check(site, REPEATS)
    assert copies(site, "DUP") == 1
    upgrade(site, CHANGES["values changed"])
