"""From a release of W&B's shape to this chart, in place, on a real API server, and back."""

import pytest

from tests.support.site import KEY, SHAPE, Json, Site

pytestmark = pytest.mark.apiserver


def in_place(site: Site) -> dict[str, str]:
    """The uids of what an upgrade must keep: another uid is another object."""
    release = site.release
    kept = [
        ("deployments", f"launch-agent-{release}"),
        ("configmaps", f"wandb-launch-configmap-{release}"),
        ("configmaps", f"ssh-config-{release}"),
        ("serviceaccounts", f"wandb-launch-serviceaccount-{release}"),
        ("roles", f"wandb-launch-agent-{release}"),
        ("rolebindings", f"wandb-launch-role-binding-{release}"),
        ("secrets", f"wandb-api-key-{release}"),
        ("secrets", "git-creds"),
    ]
    uids = {f"{resource}/{name}": site.get(resource, name)["metadata"]["uid"] for resource, name in kept}
    target = site.get("secrets", f"wandb-api-key-{release}", site.target)
    return {**uids, "the target's key": target["metadata"]["uid"]}


def what_jobs_read(site: Site) -> tuple[object, ...]:
    """The key's Secret in the target as running jobs and W&B's own agent see it."""
    found = site.get("secrets", f"wandb-api-key-{site.release}", site.target)
    return found["type"], found["data"], found["metadata"]["labels"]["wandb.ai/created-by"]


def full(site: Site) -> Json:
    """Values that a user of W&B's chart has."""
    return {
        **site.values,
        "gitCreds": "https://user:token@git.example.com",
        "sshAuthSecrets": [{"name": "deploy-key", "host": "github.com"}],
        "additionalEnvVars": [{"name": "MINE", "value": "1"}],
        "serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": None}},
    }


@pytest.mark.parametrize(
    ("installer", "flag"),
    [("helm3", ""), ("helm4", ""), ("helm3", "--reuse-values"), ("helm3", "--reset-then-reuse-values")],
)
def test_a_release_of_wandbs_shape_is_upgraded_in_place_under_a_running_job(
    site: Site, installer: str, flag: str
) -> None:
    site.create_namespace(site.agent)
    values = full(site)
    site.apply("install", values, chart=SHAPE, helm=installer)
    job, kept, read = site.start_job(), in_place(site), what_jobs_read(site)

    site.apply("upgrade", None if flag else values, *([flag] if flag else []))
    assert in_place(site) == kept
    assert what_jobs_read(site) == read
    assert site.get("jobs", job["metadata"]["name"], site.target)["metadata"]["uid"] == job["metadata"]["uid"]
    variables = site.variables()
    assert {"WANDB_API_KEY", "WANDB_BASE_URL", "POD_NAME"} <= set(variables)
    assert (variables["WANDB_RELEASE_NAME"], variables["MINE"]) == (site.release, "1")
    assert site.find("clusterroles", f"wandb-job-creator-{site.release}", "") is None
    assert site.find("poddisruptionbudgets", site.workload, site.home) is None
    assert site.find("rolebindings", f"wandb-launch-cluster-role-binding-{site.release}", site.target) is None
    assert site.find("rolebindings", f"wandb-launch-job-creator-binding-{site.release}", site.target) is not None

    before = site.deployment()["metadata"]["generation"]
    site.apply("upgrade", None if flag else values, *([flag] if flag else []))
    assert site.deployment()["metadata"]["generation"] == before


def test_the_way_back_to_wandbs_shape_and_forth_again_is_open(site: Site) -> None:
    site.create_namespace(site.agent)
    values = full(site)
    site.apply("install", values, chart=SHAPE, helm="helm3")
    theirs, kept, read = site.deployment()["spec"], in_place(site), what_jobs_read(site)
    site.apply("upgrade", values)
    ours = site.deployment()["spec"]
    assert ours != theirs

    site.manage("rollback", "1")
    assert site.deployment()["spec"] == theirs
    assert in_place(site) == kept
    assert what_jobs_read(site) == read
    assert site.find("clusterroles", f"wandb-job-creator-{site.release}", "") is not None
    assert site.find("poddisruptionbudgets", site.workload, site.home) is not None
    assert site.find("rolebindings", f"wandb-launch-job-creator-binding-{site.release}", site.target) is None

    site.manage("rollback", "2")
    assert site.deployment()["spec"] == ours
    site.manage("uninstall")
    assert {name for name in site.leftovers() if not name.startswith("jobs/")} == set()


def test_the_chart_first_and_the_agent_second_changes_one_thing_at_a_time(site: Site) -> None:
    site.create_namespace(site.agent)
    values = {**site.values, "agent": {**site.values["agent"], "image": "wandb/launch-agent:0.17.3"}}
    site.apply("install", values, chart=SHAPE, helm="helm3")
    theirs = site.deployment()["spec"]

    assert "W&B's own agent" in site.apply("upgrade", values)
    first = site.deployment()["spec"]
    assert first["strategy"] == theirs["strategy"] == {"type": "Recreate"}
    assert first["template"]["spec"]["containers"][0]["image"] == "wandb/launch-agent:0.17.3"
    names = {one["name"] for one in theirs["template"]["spec"]["containers"][0]["env"]}
    assert names <= set(site.variables())

    site.apply("upgrade", site.values)
    second = site.deployment()["spec"]
    assert second["strategy"]["type"] == "RollingUpdate"
    assert second["template"]["spec"]["containers"][0]["image"] == site.values["agent"]["image"]

    site.apply("upgrade", values)
    assert site.deployment()["spec"] == first


@pytest.mark.usefixtures("wandb_alone")
def test_secrets_of_fixed_names_and_the_storage_key_survive(site: Site) -> None:
    """W&B's chart writes two of them into the namespace `wandb`, wherever the agent is."""
    site.ensure_namespace("wandb")
    values = {
        **site.values,
        "namespace": "wandb",
        "azureStorageAccessKey": "c3RvcmFnZQ==",
        "additionalSecretEnvVars": [{"name": "TOKEN", "value": "t"}, {"name": "OLD", "value": "o"}],
    }
    names = ["azure-storage-access-key", "launch-agent-secret-env-vars"]
    site.apply("install", values, chart=SHAPE, helm="helm3")
    uids = [site.get("secrets", name, "wandb")["metadata"]["uid"] for name in names]

    values["additionalSecretEnvVars"] = [{"name": "TOKEN", "value": "new"}]
    site.apply("upgrade", values)
    assert [site.get("secrets", name, "wandb")["metadata"]["uid"] for name in names] == uids
    assert site.secret("azure-storage-access-key", "wandb") == {"password": "c3RvcmFnZQ=="}
    # A key that was written as stringData stays in the Secret for ever, but no variable refers to it.
    assert site.secret("launch-agent-secret-env-vars", "wandb") == {"TOKEN": "new", "OLD": "o"}
    (container,) = site.get("deployments", site.workload, "wandb")["spec"]["template"]["spec"]["containers"]
    assert {"TOKEN", "OLD"} & {one["name"] for one in container["env"]} == {"TOKEN"}
    site.manage("uninstall")


@pytest.mark.usefixtures("wandb_alone")
def test_secrets_of_fixed_names_move_to_the_agents_namespace(site: Site) -> None:
    site.ensure_namespace("wandb")
    site.create_namespace(site.agent)
    values = {**site.values, "additionalSecretEnvVars": [{"name": "TOKEN", "value": "t"}]}
    site.apply("install", values, chart=SHAPE, helm="helm3")
    assert site.secret("launch-agent-secret-env-vars", "wandb") == {"TOKEN": "t"}
    site.apply("upgrade", values)
    assert site.secret("launch-agent-secret-env-vars") == {"TOKEN": "t"}
    assert site.find("secrets", "launch-agent-secret-env-vars", "wandb") is None


def test_a_key_of_the_users_stays_theirs(site: Site) -> None:
    site.create_namespace(site.agent)
    key = f"wandb-api-key-{site.release}"
    for namespace in (site.agent, site.target):
        body = {"metadata": {"name": key}, "type": "kubernetes.io/basic-auth", "stringData": {"password": KEY}}
        site.create("secrets", body, namespace)
    untouched = site.get("secrets", key)["metadata"]["resourceVersion"]
    external = {**site.values, "agent": {"useExternalWandbSecret": True}}
    site.apply("install", external, chart=SHAPE, helm="helm3")
    site.apply("upgrade", external)
    site.manage("uninstall")
    assert site.get("secrets", key)["metadata"]["resourceVersion"] == untouched
