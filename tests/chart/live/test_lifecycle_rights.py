"""Rights on a real API server: what the installer must hold, and all that the agent's account may do."""

import json
from collections.abc import Iterator

import pytest
import yaml

from launch_agent.core.permissions import CustomResource, Feature, Permission, Scope, list_permissions
from tests.support.charts import CHART
from tests.support.site import Json, Site, run

pytestmark = pytest.mark.apiserver

NEEDED = Feature.RECORDS, Feature.LEASE, Feature.SHARDS, Feature.JOBS, Feature.CUSTOM_RESOURCES
VOLCANO = CustomResource("batch.volcano.sh", "jobs")

Right = tuple[str, str, str, str]
"""Group, resource, verb, and the one object that it is for, or nothing."""


def documented_roles() -> dict[str, Json]:
    """The Roles that UPGRADING.md gives an installer without cluster rights, by name."""
    text = (CHART / "UPGRADING.md").read_text()
    block = next(part for part in text.split("```yaml\n")[1:] if "kind: Role" in part).partition("```")[0]
    return {one["metadata"]["name"]: one for one in yaml.safe_load_all(block)}


@pytest.fixture
def installer(site: Site) -> str:
    """A user who holds what UPGRADING.md lists and nothing else: a Role in the agent's namespace, one in the target."""
    user = f"user-{site.release}"
    roles = documented_roles()
    for namespace, name in ((site.home, "launch-agent-installer"), (site.target, "launch-agent-installer-target")):
        site.create("roles", {"metadata": {"name": name}, "rules": roles[name]["rules"]}, namespace)
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        site.create("rolebindings", binding, namespace)
    return user


def within_namespaces(site: Site) -> Json:
    """Values of an install without any right on the cluster: everything in the release's namespace and one target."""
    return {**site.values, "namespace": "", "createNamespaces": "never"}


def test_an_installer_without_cluster_rights_installs_upgrades_rolls_back_and_uninstalls(
    site: Site, installer: str
) -> None:
    values, flags = within_namespaces(site), ["--kube-as-user", installer]
    told = site.refuse("install", {**values, "createNamespaces": "auto"}, *flags)
    assert "createNamespaces" in told or "namespaces" in told
    site.apply("install", values, *flags)
    values["gitCreds"] = "https://user:token@git.example.com"
    values["launchConfig"] = {"queues": ["gpu"], "max_jobs": 3}
    site.apply("upgrade", values, *flags)
    site.manage("rollback", "1", *flags)
    site.manage("uninstall", *flags)
    assert site.leftovers() == set()


def test_rendered_manifests_can_be_applied_without_cluster_rights(site: Site, installer: str) -> None:
    values = within_namespaces(site)
    text = site.apply("template", values, "--no-hooks")
    done = run(["kubectl", "apply", "--as", installer, "-f", "-"], text)
    assert done.returncode == 0, done.stderr
    before = site.get("deployments", site.workload, site.home)["metadata"]["generation"]
    run(["kubectl", "apply", "--as", installer, "-f", "-"], text)
    assert site.get("deployments", site.workload, site.home)["metadata"]["generation"] == before


@pytest.mark.parametrize("short_of", ["leases", "rolebindings"])
def test_an_installer_who_lacks_a_listed_right_is_refused(site: Site, installer: str, short_of: str) -> None:
    """So that the list holds no more than what is needed."""
    role = site.get("roles", "launch-agent-installer", site.home)
    rules = [
        rule
        if rule.get("resourceNames")
        else {**rule, "resources": [one for one in rule["resources"] if one != short_of]}
        for rule in role["rules"]
    ]
    site.patch("roles", "launch-agent-installer", {"rules": [rule for rule in rules if rule["resources"]]}, site.home)
    told = site.refuse("install", within_namespaces(site), "--kube-as-user", installer)
    assert short_of in told


def allowed(site: Site, account: str, namespace: str) -> set[Right]:
    """All that an account may do in a namespace, less what this Kubernetes allows to every service account."""
    return rights_of(site, account, namespace) - rights_of(site, f"system:serviceaccount:{site.home}:other", namespace)


def rights_of(site: Site, account: str, namespace: str) -> set[Right]:
    """All that an account may do in a namespace."""
    question = json.dumps({"spec": {"namespace": namespace}})
    answer = site.api.post(
        version="authorization.k8s.io/v1", url="selfsubjectrulesreviews", data=question,
        headers={"Impersonate-User": account},
    )  # fmt: skip
    assert answer.ok, answer.text
    status = answer.json()["status"]
    assert not status["incomplete"]
    return {
        (group, resource, verb, name)
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", []) or [""]
    }


def flatten(rows: Iterator[Permission]) -> set[Right]:
    return {(row.group, row.resource, verb, name) for row in rows for verb in row.verbs for name in row.names or ("",)}


def test_the_agents_account_may_do_what_the_table_says_and_nothing_else(site: Site) -> None:
    site.apply("install", site.values)
    account = f"system:serviceaccount:{site.agent}:wandb-launch-serviceaccount-{site.release}"
    names = {"lease": site.workload, "key_secret": f"wandb-api-key-{site.release}"}
    rows = list_permissions(NEEDED, custom_resources=[VOLCANO], **names)
    target = flatten(row for row in rows if row.scope is Scope.TARGET)
    agent = flatten(row for row in rows if row.scope is Scope.AGENT)
    assert allowed(site, account, site.target) == target
    assert allowed(site, account, site.agent) == target | agent
    assert allowed(site, account, site.home) == set()
    assert allowed(site, account, "kube-system") == set()
