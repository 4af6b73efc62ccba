"""Bad input at install and upgrade, on a real API server: what is refused, in which words; nothing is made."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.support.refusals import find_unsaid
from tests.support.site import Json, Site, SiteFactory, run

pytestmark = pytest.mark.apiserver

TABLE: dict[str, list[Json]] = yaml.safe_load(
    (Path(__file__).parents[1] / "bad-values.yaml").read_text(encoding="utf-8")
)
SECRETS: Json = {
    "gitCreds": "https://user:token@git.example.com",
    "azureStorageAccessKey": "c3RvcmFnZQ==",
    "additionalSecretEnvVars": [{"name": "TOKEN", "value": "secret"}],
}


def over(site: Site, values: Json) -> Json:
    """The least that installs, with these values laid over it; None takes one away."""
    agent = values.get("agent", {})
    merged = {**site.values, **values, "agent": {**site.values["agent"], **agent}}
    return {name: value for name, value in merged.items() if value is not None}


@pytest.mark.parametrize("part", ["schema", "templates"])
def test_every_bad_input_is_refused_at_install_and_nothing_is_made(site: Site, part: str) -> None:
    wrong = {}
    for case in TABLE[part]:
        done = site.attempt("install", over(site, case["values"]))
        unsaid = find_unsaid(case["says"], done.stderr, site.helm, site.release, by_schema=part == "schema")
        if done.returncode == 0 or unsaid:
            wrong[case["name"]] = done.stderr
    assert wrong == {}
    assert site.leftovers() == {f"namespaces/{name}" for name in site.made if site.release in name}


def test_a_second_release_is_told_whose_the_fixed_secrets_are_and_what_to_do(site: Site, sites: SiteFactory) -> None:
    site.apply("install", {**site.values, **SECRETS})
    second = sites()
    values = {**second.values, **SECRETS, "namespace": site.agent}
    told = second.refuse("install", values)
    cures = {
        "git-creds": "existingSecrets.gitCreds",
        "azure-storage-access-key": "existingSecrets.azureStorageAccessKey.name",
        "launch-agent-secret-env-vars": "existingSecrets.environment",
    }
    for name, cure in cures.items():
        assert f"The Secret {name} in the namespace {site.agent} belongs to the release {site.release} in" in told
        assert f"{site.home}. Set secretNames.suffix (for example to {second.release}), or use a Secret" in told
        assert f"of your own: {cure}." in told
    second.apply("install", {**values, "secretNames": {"suffix": "two"}})
    assert second.secret("git-creds-two", site.agent)[".git-credentials"] == SECRETS["gitCreds"]
    second.apply("upgrade", {**values, "secretNames": {"suffix": "two"}})
    site.apply("upgrade", {**site.values, **SECRETS})


@pytest.mark.parametrize("flag", ["useExternalWandbSecret", "existingSecrets"])
def test_a_key_of_the_release_is_not_deleted_by_calling_it_the_users_own(site: Site, flag: str) -> None:
    site.apply("install", site.values)
    name = f"wandb-api-key-{site.release}"
    values = over(site, {"agent": {"apiKey": ""}})
    if flag == "useExternalWandbSecret":
        values["agent"][flag] = True
    else:
        values[flag] = {"apiKey": {"name": name}}
    told = site.refuse("upgrade", values)
    for namespace in (site.agent, site.target):
        assert (
            f"The Secret {name} in the namespace {namespace} was made by this release, which would now delete it."
            in told
        )
    cures = re.findall(r"Keep it first: (kubectl .*)", told)
    assert len(cures) == 2
    run_all(cures[:1])
    assert site.refuse("upgrade", values).count("Keep it first") == 1
    run_all(cures[1:])
    site.apply("upgrade", values)
    site.apply("upgrade", values)
    for namespace in (site.agent, site.target):
        assert site.secret(name, namespace)["password"] == site.values["agent"]["apiKey"]
    site.manage("uninstall")
    assert site.find("secrets", name, site.target) is not None


def run_all(commands: list[str]) -> None:
    """Do what the refusal says."""
    for command in commands:
        done = run(shlex.split(command))
        assert done.returncode == 0, done.stderr


def test_the_other_secrets_of_the_release_are_not_deleted_either(site: Site) -> None:
    site.apply("install", {**site.values, **SECRETS})
    existing = {
        "gitCreds": "git-creds",
        "azureStorageAccessKey": {"name": "azure-storage-access-key"},
        "environment": ["launch-agent-secret-env-vars"],
    }
    values = {**site.values, "existingSecrets": existing}
    told = site.refuse("upgrade", values)
    cures = re.findall(r"Keep it first: (kubectl .*)", told)
    assert len(cures) == 3
    run_all(cures)
    site.apply("upgrade", values)
    assert site.secret("git-creds")[".git-credentials"] == SECRETS["gitCreds"]
    assert site.variables()["TOKEN"] == "secret"


def test_a_secret_of_the_users_own_is_taken_as_it_is(site: Site) -> None:
    site.create_namespace(site.agent)
    for namespace in (site.agent, site.target):
        site.create("secrets", {"metadata": {"name": "mine"}, "stringData": {"token": "k" * 40}}, namespace)
    values = over(site, {"agent": {"apiKey": ""}, "existingSecrets": {"apiKey": {"name": "mine", "key": "token"}}})
    site.apply("install", values)
    site.apply("upgrade", values)
    site.manage("uninstall")
    assert site.secret("mine") == {"token": "k" * 40}


def test_a_missing_namespace_that_must_not_be_made_is_named(site: Site) -> None:
    told = site.refuse("install", {**site.values, "createNamespaces": "never"})
    assert f'namespaces "{site.agent}" not found' in told


RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]},
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
]


def reader(site: Site, rules: list[Json]) -> str:
    """A user who may do anything in the site's own namespaces, and in the cluster what the rules say."""
    user = f"reader-{site.release}"
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    site.create("clusterroles", {"metadata": {"name": user}, "rules": rules}, "")
    site.create("clusterrolebindings", {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]}, "")
    admin = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"}
    for namespace in (site.home, site.target):
        binding = {"metadata": {"name": user}, "roleRef": admin, "subjects": [subject]}
        site.create("rolebindings", binding, namespace)
    return user


def test_an_installer_who_may_make_no_namespace_is_told_so(site: Site) -> None:
    told = site.refuse("install", site.values, "--kube-as-user", reader(site, RULES))
    assert re.search(r'cannot (create|patch) resource "namespaces"', told)
    assert site.find("namespaces", site.agent, "") is None


def test_an_installer_who_may_not_look_into_a_missing_namespace_is_told_which(site: Site) -> None:
    """Helm looks for each object before it makes the first: it stumbles there, before the namespace."""
    told = site.refuse("install", site.values, "--kube-as-user", reader(site, RULES[:1]))
    assert f'in the namespace "{site.agent}"' in told
    assert site.find("namespaces", site.agent, "") is None
