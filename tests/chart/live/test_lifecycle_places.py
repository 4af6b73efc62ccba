"""Namespaces and Secrets of a release: made, left alone, refused, shared, on a real API server."""

import pytest

from tests.support.site import KEY, Json, Site, SiteFactory

pytestmark = pytest.mark.apiserver

EXTERNAL = {"type": "Opaque", "stringData": {"password": KEY}}


def test_missing_namespaces_are_made_to_be_kept_and_existing_ones_are_left_alone(site: Site) -> None:
    untouched = site.get("namespaces", site.target, "")["metadata"]["resourceVersion"]
    site.apply("install", site.values)
    site.apply("upgrade", site.values)
    made = site.get("namespaces", site.agent, "")["metadata"]
    assert made["annotations"]["helm.sh/resource-policy"] == "keep"
    site.manage("uninstall")
    assert site.find("namespaces", site.agent, "") is not None
    assert site.get("namespaces", site.target, "")["metadata"]["resourceVersion"] == untouched


def test_without_making_namespaces_a_missing_one_is_named(site: Site) -> None:
    told = site.refuse("install", {**site.values, "createNamespaces": "never"})
    assert f'namespaces "{site.agent}" not found' in told


def test_a_target_comes_and_goes_with_its_rights_and_its_key(site: Site) -> None:
    key, binding = f"wandb-api-key-{site.release}", f"wandb-launch-job-creator-binding-{site.release}"
    site.apply("install", {**site.values, "additionalTargetNamespaces": []})
    assert site.find("secrets", key, site.target) is None
    alone = site.template()
    site.apply("upgrade", site.values)
    assert site.secret(key, site.target) == {"password": KEY}
    assert site.find("rolebindings", binding, site.target) is not None
    assert site.template() != alone
    site.apply("upgrade", {**site.values, "additionalTargetNamespaces": []})
    assert site.find("secrets", key, site.target) is None
    assert site.find("rolebindings", binding, site.target) is None
    assert site.template() == alone


FIXED: Json = {
    "gitCreds": "https://user:token@git.example.com",
    "azureStorageAccessKey": "c2VjcmV0",
    "additionalSecretEnvVars": [{"name": "TOKEN", "value": "secret"}],
}


def test_a_second_release_in_the_namespace_is_told_to_name_its_secrets_otherwise(sites: SiteFactory) -> None:
    first, second = sites(), sites()
    first.apply("install", {**first.values, **FIXED})
    values = {**second.values, "namespace": first.agent, **FIXED}
    told = second.refuse("install", values)
    for name in ("git-creds", "azure-storage-access-key", "launch-agent-secret-env-vars"):
        assert f"The Secret {name} in the namespace {first.agent} belongs to the release {first.release}" in told
    assert "secretNames.suffix" in told

    second.apply("install", {**values, "secretNames": {"suffix": "two"}})
    assert first.secret("launch-agent-secret-env-vars-two") == {"TOKEN": "secret"}
    second.manage("uninstall")
    assert first.secret("launch-agent-secret-env-vars") == {"TOKEN": "secret"}
    assert {name for name in second.leftovers() if second.release in name} == set()


def test_releases_side_by_side_may_share_secrets_of_their_user(sites: SiteFactory) -> None:
    first, second = sites(), sites()
    first.create_namespace(first.agent)
    for name, data in (("shared-git", {".git-credentials": "https://u:t@h"}), ("shared-env", {"TOKEN": "shared"})):
        first.create("secrets", {"metadata": {"name": name}, "stringData": data})
    shared = {"existingSecrets": {"gitCreds": "shared-git", "environment": ["shared-env"]}}
    for site in (first, second):
        site.apply("install", {**site.values, "namespace": first.agent, **shared})
    assert first.variables()["TOKEN"] == "shared"
    second.manage("uninstall")
    assert first.secret("shared-env") == {"TOKEN": "shared"}


def test_a_key_of_the_users_takes_the_managed_ones_place_without_a_gap_for_running_jobs(site: Site) -> None:
    key = f"wandb-api-key-{site.release}"
    site.apply("install", site.values)
    external = {**site.values, "agent": {"image": site.values["agent"]["image"], "useExternalWandbSecret": True}}
    told = site.refuse("upgrade", external)
    for namespace in (site.agent, site.target):
        assert f"kubectl --namespace {namespace} annotate secret {key} helm.sh/resource-policy=keep" in told
        body = {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}
        site.patch("secrets", key, body, namespace)
    uids = [site.get("secrets", key, namespace)["metadata"]["uid"] for namespace in (site.agent, site.target)]
    site.apply("upgrade", external)
    site.apply("upgrade", external)
    assert [site.get("secrets", key, place)["metadata"]["uid"] for place in (site.agent, site.target)] == uids
    site.apply("upgrade", site.values)
    assert site.secret(key) == {"password": KEY}


def test_a_foreign_secret_under_the_managed_keys_name_is_not_overwritten(site: Site) -> None:
    site.create_namespace(site.agent)
    key = f"wandb-api-key-{site.release}"
    for namespace in (site.agent, site.target):
        site.create("secrets", {"metadata": {"name": key}, **EXTERNAL}, namespace)
    assert key in site.refuse("install", site.values)
    site.apply("install", {**site.values, "agent": {"useExternalWandbSecret": True}})
    site.manage("uninstall")
    assert site.secret(key) == {"password": KEY}


def test_a_secret_of_the_users_becomes_a_managed_one_when_it_is_marked(site: Site) -> None:
    site.create_namespace(site.agent)
    key = f"wandb-api-key-{site.release}"
    body = {"metadata": {"name": key}, "type": "kubernetes.io/basic-auth", "stringData": {"password": KEY[::-1]}}
    for namespace in (site.agent, site.target):
        site.create("secrets", body, namespace)
    site.apply("install", {**site.values, "agent": {"useExternalWandbSecret": True}})
    assert key in site.refuse("upgrade", site.values)
    notes = {"meta.helm.sh/release-name": site.release, "meta.helm.sh/release-namespace": site.home}
    for namespace in (site.agent, site.target):
        labels = {"app.kubernetes.io/managed-by": "Helm"}
        site.patch("secrets", key, {"metadata": {"annotations": notes, "labels": labels}}, namespace)
    site.apply("upgrade", site.values, *(["--force-conflicts"] if site.helm.name == "helm4" else []))
    assert site.secret(key) == site.secret(key, site.target) == {"password": KEY}


def test_an_existing_secret_is_referred_to_by_agent_and_jobs(site: Site) -> None:
    site.create_namespace(site.agent)
    for namespace in (site.agent, site.target):
        site.create("secrets", {"metadata": {"name": "team-key"}, "stringData": {"token": KEY}}, namespace)
    values = {**site.values, "agent": {}, "existingSecrets": {"apiKey": {"name": "team-key", "key": "token"}}}
    site.apply("install", values)
    assert site.variables()["LAUNCH_AGENT_API_KEY_SECRET"] == "team-key/token"
    assert site.variables()["WANDB_API_KEY"] == {"secretKeyRef": {"name": "team-key", "key": "token"}}
    assert site.find("secrets", f"wandb-api-key-{site.release}") is None


def test_a_bundle_of_certificates_is_mounted_and_unmounted(site: Site) -> None:
    site.create_namespace(site.agent)
    site.create("configmaps", {"metadata": {"name": "ca"}, "data": {"ca.crt": "-----BEGIN CERTIFICATE-----"}})
    site.apply("install", site.values)
    without = site.template()
    bundle = {"customCABundle": {"configMap": {"name": "ca", "key": "ca.crt"}}}
    site.apply("upgrade", {**site.values, **bundle})
    path = str(site.variables()["REQUESTS_CA_BUNDLE"])
    mounts = site.container()["volumeMounts"]
    assert [one["mountPath"] for one in mounts if path.startswith(one["mountPath"] + "/")]
    site.apply("upgrade", site.values)
    assert site.template() == without


@pytest.mark.sim
def test_the_agents_pod_is_made_where_the_restricted_profile_is_enforced(site: Site) -> None:
    site.create_namespace(site.agent, {"pod-security.kubernetes.io/enforce": "restricted"})
    site.create("secrets", {"metadata": {"name": "deploy-key"}, "stringData": {"ssh-privatekey": "k"}})
    values = {**site.values, "gitCreds": "https://u:t@git.example.com", "kanikoPvcName": "contexts"}
    values["sshAuthSecrets"] = [{"name": "deploy-key", "host": "github.com"}]
    site.apply("install", values)
    site.wait_for_pod()
