"""Install, upgrade, rollback, uninstall on a real API server: what restarts the agent, what stays, what goes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART
from tests.support.site import CHECKED, KEY, Json, Site, SiteFactory

pytestmark = pytest.mark.apiserver

SEEDS = yaml.safe_load((CHART / "ci" / "seeds-values.yaml").read_text())


def test_the_documented_values_install_upgrade_roll_back_and_leave_nothing_but_namespaces_and_jobs(site: Site) -> None:
    values = {**SEEDS, "namespace": site.agent, "additionalTargetNamespaces": [site.target, site.agent]}
    assert f"deployment/{site.workload}" in site.apply("install", values, CHECKED)
    first = site.deployment()
    for namespace in (site.target, site.agent):
        assert site.secret(f"wandb-api-key-{site.release}", namespace) == {"password": SEEDS["agent"]["apiKey"]}
    job = site.start_job()

    site.apply("upgrade", values)
    assert site.deployment()["metadata"]["generation"] == first["metadata"]["generation"]

    site.apply("upgrade", {**values, "baseUrl": "https://other.example.com"})
    assert site.template() != first["spec"]["template"]
    site.manage("rollback", "1")
    assert site.template() == first["spec"]["template"]
    config = site.get("configmaps", f"wandb-launch-configmap-{site.release}")
    assert config["data"]["wandb-base-url"] == SEEDS["baseUrl"]

    site.manage("uninstall")
    assert site.leftovers() == {f"namespaces/{site.agent}"}
    assert site.get("jobs", job["metadata"]["name"], site.target)["metadata"]["uid"] == job["metadata"]["uid"]
    assert site.get("namespaces", site.agent, "")["status"]["phase"] == "Active"

    site.apply("install", values)
    assert site.deployment()["spec"]["template"] == first["spec"]["template"]


def test_a_new_chart_version_alone_restarts_nothing(site: Site, tmp_path: Path) -> None:
    site.apply("install", site.values)
    before = site.deployment()
    newer = tmp_path / "launch-agent"
    shutil.copytree(CHART, newer)
    about = {**yaml.safe_load((CHART / "Chart.yaml").read_text()), "version": "99.0.0", "appVersion": "99.0.0"}
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about))
    site.apply("upgrade", site.values, chart=newer)
    after = site.deployment()
    assert after["metadata"]["labels"]["helm.sh/chart"] != before["metadata"]["labels"]["helm.sh/chart"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


CHANGES: dict[str, dict[str, Any]] = {
    "the configuration": {"launchConfig": {"queues": ["gpu"], "max_jobs": 7}},
    "the key": {"agent": {"apiKey": KEY[::-1]}},
    "git credentials": {"gitCreds": "https://user:token@git.example.com\n"},
    "a secret variable": {"additionalSecretEnvVars": [{"name": "TOKEN", "value": "new"}]},
}


def test_a_changed_configuration_or_secret_restarts_the_agent(site: Site) -> None:
    values = {**site.values, "gitCreds": "https://user:old@git.example.com", "secretNames": {"suffix": site.release}}
    values["additionalSecretEnvVars"] = [{"name": "TOKEN", "value": "old"}]
    site.apply("install", values)
    unmoved = []
    for what, change in CHANGES.items():
        before = site.template()
        values |= {key: {**values[key], **one} if key == "agent" else one for key, one in change.items()}
        site.apply("upgrade", values)
        if site.template() == before:
            unmoved.append(what)
    assert not unmoved


REFUSED: dict[str, tuple[Json, str]] = {
    "a misspelt key": ({"launchConfig": "queues: [gpu]\nmax_job: 3\n"}, "max_job"),
    "a tab": ({"launchConfig": "queues:\n\t- gpu\n"}, "tab"),
    "no queue": ({"launchConfig": "max_jobs: 3\n"}, "queues"),
    "no key": ({"agent": {"apiKey": ""}}, "agent.apiKey"),
}


def test_a_bad_configuration_is_refused_before_anything_changes(site: Site) -> None:
    site.apply("install", site.values)
    names = [("configmaps", f"wandb-launch-configmap-{site.release}"), ("secrets", f"wandb-api-key-{site.release}")]

    def versions() -> list[str]:
        others = [site.get(resource, name)["metadata"]["resourceVersion"] for resource, name in names]
        return [*others, site.deployment()["metadata"]["generation"]]

    before = versions()
    for change, word in REFUSED.values():
        assert word in site.refuse("upgrade", {**site.values, **change})
    assert versions() == before
    assert len(site.list("secrets", site.home, f"owner=helm,name={site.release}")) == 1


def test_every_value_at_once_is_accepted_by_the_server(site: Site) -> None:
    values = yaml.safe_load((CHART / "ci" / "all-values.yaml").read_text())
    values |= {"namespace": site.agent, "namespaceOverride": "", "additionalTargetNamespaces": [site.target]}
    values |= {"podMonitor": {"enabled": False}, "serviceMonitor": {"enabled": False}}
    values["extraObjects"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    ]
    site.apply("install", values, CHECKED)
    before = site.deployment()
    site.apply("upgrade", values, CHECKED)
    assert site.deployment()["metadata"]["generation"] == before["metadata"]["generation"]
    site.manage("uninstall")
    assert site.leftovers() == {f"namespaces/{site.agent}"}


@pytest.mark.parametrize("release", ["r" * 45 + "{mark}", "a-release.with.dots-{mark}"])
def test_long_and_dotted_release_names_install_upgrade_and_leave_nothing(sites: SiteFactory, release: str) -> None:
    site = sites(release)
    everything = {**site.values, "networkPolicy": {"enabled": True}, "gitCreds": "https://u:t@git.example.com"}
    everything["secretNames"] = {"suffix": site.agent}
    site.apply("install", everything)
    site.apply("upgrade", everything)
    (deployment,) = site.list("deployments")
    assert len(deployment["metadata"]["name"]) <= 63
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": deployment["metadata"]["name"]}
    site.manage("uninstall")
    assert site.leftovers() == {f"namespaces/{site.agent}"}


def test_the_same_release_name_lives_in_two_namespaces(sites: SiteFactory) -> None:
    one = sites()
    other = sites(one.release)
    wide = {"rbac": {"clusterWide": True}}
    one.apply("install", {**one.values, **wide})
    other.apply("install", {**other.values, **wide})
    one.manage("uninstall")
    other.apply("upgrade", {**other.values, **wide})
    assert other.deployment()["spec"]["replicas"] == 1
    assert {name.partition("/")[0] for name in other.leftovers()} >= {"clusterroles", "clusterrolebindings"}


def test_both_flavours_follow_each_other_in_place(site: Site) -> None:
    wandbs = {**site.values["agent"], "image": "wandb/launch-agent:0.17.3"}
    site.apply("install", site.values)
    own = site.deployment()
    assert own["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert [one["name"] for one in own["spec"]["template"]["spec"]["initContainers"]] == ["validate"]

    notes = site.apply("upgrade", {**site.values, "agent": wandbs})
    assert "W&B's own agent" in notes
    theirs = site.deployment()
    assert theirs["metadata"]["uid"] == own["metadata"]["uid"]
    assert theirs["spec"]["strategy"] == {"type": "Recreate"}
    assert "initContainers" not in theirs["spec"]["template"]["spec"]
    container = site.container()
    assert not {"args", "livenessProbe", "readinessProbe", "ports"} & set(container)
    assert not container["securityContext"].get("readOnlyRootFilesystem")

    site.apply("upgrade", site.values)
    assert site.deployment()["spec"] == own["spec"]
