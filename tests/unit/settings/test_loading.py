"""File < environment < flags."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from launch_agent.core.models import KeySecret
from launch_agent.core.policy import Protected
from launch_agent.settings import ConfigProblems, Flags, Need, Secret, Settings, load

KEY = "local-" + "0123456789" * 4
NOWHERE = Path("/nowhere/at/all")


def read(
    tmp_path: Path, text: str = "", environ: dict[str, str] | None = None, flags: Flags | None = None, **options: Any
) -> Settings:
    flags = flags or Flags()
    if text:
        path = tmp_path / "launch-config.yaml"
        path.write_text(text, encoding="utf-8")
        flags = dataclasses.replace(flags, config=path)
    options.setdefault("need", Need.NOTHING)
    return load(flags, environ or {}, home=tmp_path, service_account=NOWHERE, **options)


def problems(tmp_path: Path, *args: Any, **options: Any) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        read(tmp_path, *args, **options)
    return [f"{one.path}: {one.summary}" for one in caught.value.problems]


PRECEDENCE = [
    # field, file, environment, flags → only file, file and environment, all three
    ("entity", "entity: a", {"WANDB_ENTITY": "b"}, Flags(entity="c"), ("a", "b", "c")),
    ("max_jobs", "max_jobs: 2", {"WANDB_LAUNCH_MAX_JOBS": "3"}, Flags(max_jobs=4), (2, 3, 4)),
    ("max_jobs", "max_jobs: -1", {"WANDB_LAUNCH_MAX_JOBS": "0"}, Flags(max_jobs=-1), (-1, 0, -1)),
    ("queues", "queues: [a]", {}, Flags(queues=("b", "c", "b")), (("a",), ("a",), ("b", "c"))),
    ("verbosity", "verbosity: 1", {}, Flags(verbosity=5), (1, 1, 2)),
    ("verbosity", "verbosity: 2", {}, Flags(verbosity=1), (2, 2, 2)),
    (
        "health_address",
        "queues: [a]",
        {"LAUNCH_AGENT_HEALTH_ADDRESS": "127.0.0.1:9"},
        Flags(health_address="off"),
        (None, "127.0.0.1:9", None),
    ),
    (
        "kubeconfig",
        "queues: [a]",
        {"KUBECONFIG": "/a:/b"},
        Flags(kubeconfig=Path("/c")),
        ((), (Path("/a"), Path("/b")), (Path("/c"),)),
    ),
]


@pytest.mark.parametrize(("name", "text", "environ", "flags", "wanted"), PRECEDENCE)
def test_flags_win_over_the_environment_and_the_environment_over_the_file(
    tmp_path: Path, name: str, text: str, environ: dict[str, str], flags: Flags, wanted: tuple[Any, ...]
) -> None:
    found = [read(tmp_path, text), read(tmp_path, text, environ), read(tmp_path, text, environ, flags)]
    assert tuple(getattr(one, name) for one in found) == wanted


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.entity is None
    assert (found.max_jobs, found.max_schedulers, found.secure_mode, found.verbosity) == (1, 1, False, 0)
    assert (found.stopped_run_timeout, found.start_timeout, found.image_pull_grace) == (60.0, 1800.0, 60.0)
    assert (found.poll_interval, found.launch_concurrency, found.http_timeout) == (3.4, 8, 19.0)
    assert (found.base_url, found.records) == ("https://api.wandb.ai", tmp_path / ".local/state/launch-agent")
    assert (found.health_address, found.pod_namespace, found.config_path) == (None, None, None)
    assert not found.api_key
    assert found.warnings == ()


def test_null_means_the_default(tmp_path: Path) -> None:
    names = ("max_jobs", "secure_mode", "environment", "builder", "records", "poll_interval", "entity", "verbosity")
    text = "".join(f"{name}:\n" for name in (*names, "queues", "queue", "registry", "macro_environment"))
    found = dataclasses.replace(read(tmp_path, text), config_path=None)
    assert found == read(tmp_path)


def test_limits_may_be_quoted_as_with_wandb(tmp_path: Path) -> None:
    found = read(tmp_path, 'max_jobs: "3"\nmax_schedulers: "-1"\n')
    assert (found.max_jobs, found.max_schedulers) == (3, -1)


def test_the_default_file_is_read_where_wandb_looks_for_it(tmp_path: Path) -> None:
    folder = tmp_path / ".config/wandb"
    folder.mkdir(parents=True)
    (folder / "launch-config.yaml").write_text("queues: [home]\n")
    assert read(tmp_path).queues == ("home",)
    other = tmp_path / "other"
    other.mkdir()
    (other / "launch-config.yaml").write_text("queues: [other]\n")
    assert read(tmp_path, environ={"WANDB_CONFIG_DIR": str(other)}).queues == ("other",)


def test_a_missing_default_file_is_fine_with_queues_and_told_without(tmp_path: Path) -> None:
    assert read(tmp_path, flags=Flags(queues=("a",)), need=Need.QUEUES).queues == ("a",)
    [found] = problems(tmp_path, need=Need.QUEUES)
    assert found.startswith(": no queue to poll: no -q was given, and")
    assert found.endswith("does not exist")
    [found] = problems(tmp_path, "max_jobs: 1\n", need=Need.QUEUES)
    assert found.endswith("launch-config.yaml names none")


def test_a_missing_file_that_was_named_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, flags=Flags(config=tmp_path / "no.yaml")) == [": there is no such file"]


BAD_ENVIRONMENT = [
    ("WANDB_LAUNCH_MAX_JOBS", "many", "found `many`; allowed is a whole number, -1 for no limit"),
    ("WANDB_LAUNCH_MAX_JOBS", "-2", "found `-2`; allowed is a whole number, -1 for no limit"),
    ("WANDB_LAUNCH_START_TIMEOUT", "soon", "found `soon`; allowed is a number of seconds"),
    ("WANDB_LAUNCH_START_TIMEOUT", "nan", "found `nan`; allowed is a number of seconds"),
    ("WANDB_HTTP_TIMEOUT", "0", "found `0`; allowed is a number of seconds above 0"),
    ("WANDB_BASE_URL", "api.wandb.ai", "found `api.wandb.ai`; allowed is an address with http:// or https://"),
    ("WANDB_BASE_URL", "https://u:p@api.wandb.ai", "the address holds a user name or password"),
    ("WANDB_BASE_URL", "https://[::1", "not an address"),
    (
        "WANDB_BASE_URL",
        "https://a.example?x=1",
        "found `https://a.example?x=1`; allowed is an address without `?` and `#`",
    ),
    ("LAUNCH_AGENT_HEALTH_ADDRESS", "8080", "found `8080`; allowed is `<host>:<port>` or `off`"),
    ("LAUNCH_AGENT_HEALTH_ADDRESS", "a:99999", "found `a:99999`; allowed is `<host>:<port>` or `off`"),
    ("REQUESTS_CA_BUNDLE", "/no/such.pem", "there is no file `/no/such.pem`"),
    ("WANDB__PROXIES", "{", "not a JSON object of texts"),
    ("WANDB__PROXIES", '{"https": 1}', "not a JSON object of texts"),
    ("HTTPS_PROXY", "socks5://user:password@host:1", "not the address of a proxy (http:// or https://)"),
    ("WANDB_API_KEY", "short", "not an API key: it has 5 characters, a key has 40 or more"),
    ("WANDB_API_KEY", f'"{KEY}"', "the API key has quotes around it"),
    ("WANDB_API_KEY", f"{KEY[:20]}\n{KEY[20:]}", "the API key has a space or a line break inside"),
    ("WANDB_API_KEY", f"{KEY}$", "the API key holds a character that no key has"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD_ENVIRONMENT)
def test_a_wrong_variable_is_named_with_what_is_allowed(tmp_path: Path, name: str, value: str, message: str) -> None:
    assert problems(tmp_path, environ={name: value}) == [f"{name}: {message}"]


def test_problems_of_all_sources_are_told_at_once_and_the_file_s_come_first(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "max_jobs: x\nqueus: [a]\n",
        {"WANDB_HTTP_TIMEOUT": "x"},
        Flags(health_address="x", queues=("",)),
        need=Need.ALL,
    )
    assert [one.split(":")[0] for one in found] == [
        "max_jobs",
        "queus",
        "--health-address",
        "--queue",
        "WANDB_API_KEY",
        "WANDB_HTTP_TIMEOUT",
    ]


@pytest.mark.parametrize(("value", "wanted"), [("0", None), ("-5", None), ("2.5", 2.5), ("", 1800.0), (" 30 ", 30.0)])
def test_a_start_timeout_of_nothing_or_less_waits_for_ever(tmp_path: Path, value: str, wanted: float | None) -> None:
    assert read(tmp_path, environ={"WANDB_LAUNCH_START_TIMEOUT": value}).start_timeout == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("http://localhost:8080/", "http://localhost:8080"),
        ("https://forge.coreweave.com/api/wandb", "https://api.forge.coreweave.com"),
        ("https://wandb.example.com/base//", "https://wandb.example.com/base"),
    ],
)
def test_the_base_url_loses_its_trailing_slash(tmp_path: Path, value: str, wanted: str) -> None:
    assert read(tmp_path, environ={"WANDB_BASE_URL": value}).base_url == wanted


def test_in_a_cluster_health_is_served_and_the_installation_is_release_and_namespace(tmp_path: Path) -> None:
    cluster = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WANDB_RELEASE_NAME": "blue", "POD_NAMESPACE": "team-a"}
    found = read(tmp_path, environ=cluster)
    assert (found.in_cluster, found.health_address, found.pod_namespace) == (True, "0.0.0.0:8080", "team-a")
    assert (found.release, found.installation) == ("blue", "blue.team-a")
    off = read(tmp_path, environ={**cluster, "LAUNCH_AGENT_HEALTH_ADDRESS": "off"})
    assert off.health_address is None


def test_jobs_take_the_key_from_the_secret_that_is_named_else_from_the_releases(tmp_path: Path) -> None:
    release = {"WANDB_RELEASE_NAME": "blue"}
    assert read(tmp_path).key_secret is None
    assert read(tmp_path, environ=release).key_secret == KeySecret("wandb-api-key-blue", "password")
    found = read(tmp_path, environ={**release, "LAUNCH_AGENT_API_KEY_SECRET": "ours/wandb.key"})
    assert found.key_secret == KeySecret("ours", "wandb.key")


def test_the_agents_own_account_and_secrets_are_told(tmp_path: Path) -> None:
    assert read(tmp_path).protected == Protected()
    environ = {
        "POD_NAMESPACE": "wandb",
        "LAUNCH_AGENT_SERVICE_ACCOUNT": "agent",
        "LAUNCH_AGENT_OWN_SECRETS": "git-creds, wandb-api-key-blue,git-creds",
    }
    secrets = frozenset({"git-creds", "wandb-api-key-blue"})
    assert read(tmp_path, environ=environ).protected == Protected("wandb", "agent", secrets)


@pytest.mark.parametrize(("value", "wanted"), [("", ()), ("a", ("a",)), (" a, b ,a,", ("a", "b")), ("*", ("*",))])
def test_target_namespaces_are_names_with_commas(tmp_path: Path, value: str, wanted: tuple[str, ...]) -> None:
    assert read(tmp_path, environ={"LAUNCH_AGENT_TARGET_NAMESPACES": value}).target_namespaces == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAUNCH_AGENT_API_KEY_SECRET", "ours"),
        ("LAUNCH_AGENT_OWN_SECRETS", "git-creds;storage"),
        ("LAUNCH_AGENT_SERVICE_ACCOUNT", "The Agent"),
        ("LAUNCH_AGENT_API_KEY_SECRET", "Ours/key"),
        ("LAUNCH_AGENT_API_KEY_SECRET", "ours/a/b"),
        ("LAUNCH_AGENT_TARGET_NAMESPACES", "a b"),
        ("LAUNCH_AGENT_TARGET_NAMESPACES", "a,*"),
        ("LAUNCH_AGENT_TARGET_NAMESPACES", ","),
    ],
)
def test_names_that_kubernetes_can_not_have_are_refused(tmp_path: Path, name: str, value: str) -> None:
    (found,) = problems(tmp_path, environ={name: value}, need=Need.NOTHING)
    assert found.startswith(f"{name}: found `{value}`; allowed ")


def test_the_namespace_comes_from_the_service_account_where_nothing_says_it(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("mounted\n")
    found = load(Flags(), {"KUBERNETES_SERVICE_HOST": "x"}, home=tmp_path, need=Need.NOTHING, service_account=tmp_path)
    assert (found.pod_namespace, found.installation) == ("mounted", "launch-agent.mounted")


def test_a_long_installation_fits_a_label_and_stays_itself(tmp_path: Path) -> None:
    names = {
        read(
            tmp_path,
            environ={"KUBERNETES_SERVICE_HOST": "x", "WANDB_RELEASE_NAME": "r" * 53, "POD_NAMESPACE": "n" * 62 + end},
        ).installation
        for end in ("a", "b", "a")
    }
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)


def test_outside_of_a_cluster_the_installation_depends_on_entity_and_records(tmp_path: Path) -> None:
    def name(entity: str, records: str) -> str:
        return read(tmp_path, f"entity: {entity}\nrecords: {records}\n").installation

    assert name("a", "/r") == name("a", "/r")
    assert len({name("a", "/r"), name("b", "/r"), name("a", "/s")}) == 3


def test_records_start_at_home_or_at_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, "records: ~/r\n").records == tmp_path / "r"
    assert read(tmp_path, "records: sub/r\n").records == tmp_path / "sub/r"
    assert read(tmp_path, "records: /abs/r\n").records == Path("/abs/r")


def test_old_spellings_and_slips_of_the_documentation_are_put_right_with_a_warning(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "queue: old\nqueues: [new]\nbuilder:\n  type: docker\n"
        "  uri: https://123456789012.ecr.us-east-1.amazonaws.com/a/b\n  unknown: 1\n"
        "registry: {type: ecr, uri: 123456789012.dkr.ecr.us-east-1.amazonaws.com/a}\n",
    )
    assert found.queues == ("new", "old")
    assert found.builder["destination"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b"
    assert "uri" not in found.builder
    assert [one.partition(": warning: ")[2].split(":")[0] for one in found.warnings] == [
        "queue",
        "builder.uri",
        "builder.uri",
        "builder.unknown",
        "registry",
    ]


def test_only_named_variables_become_macros(tmp_path: Path) -> None:
    found = read(tmp_path, "macro_environment: [ZONE, ABSENT]\n", {"ZONE": "a", "OTHER": "b"})
    assert found.macros == {"ZONE": "a"}
    assert found.warnings == (
        "environment: warning: ABSENT: macro_environment names it, but it is not set: `${…}` stays as it is",
    )


PROXIES = [
    ({"HTTPS_PROXY": "proxy:3128"}, {"https": "http://proxy:3128"}),
    ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, {"https": "http://up:1"}),
    ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".wandb.ai"}, {}),
    ({"HTTPS_PROXY": "http://p:1", "no_proxy": "other.example"}, {"https": "http://p:1"}),
    ({"WANDB__PROXIES": '{"https": "http://own:1"}', "HTTPS_PROXY": "http://p:1"}, {"https": "http://own:1"}),
]


@pytest.mark.parametrize(("environ", "wanted"), PROXIES)
def test_proxies_are_those_that_hold_for_wandb(tmp_path: Path, environ: dict[str, str], wanted: dict[str, str]) -> None:
    assert read(tmp_path, environ=environ).proxies == wanted


def test_the_ca_bundle_of_requests_wins_over_that_of_openssl(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pem", tmp_path / "b.pem"
    first.touch()
    second.touch()
    both = {"REQUESTS_CA_BUNDLE": str(first), "SSL_CERT_FILE": str(second)}
    assert read(tmp_path, environ=both).ca_bundle == first
    assert read(tmp_path, environ={"SSL_CERT_FILE": str(second)}).ca_bundle == second


def test_switching_certificates_off_is_warned_of(tmp_path: Path) -> None:
    found = read(tmp_path, environ={"WANDB_INSECURE_DISABLE_SSL": "true"})
    assert found.verify_tls is False
    assert "anyone in between can read the API key" in found.warnings[0]


def test_the_version_is_ours_unless_the_environment_names_another(tmp_path: Path) -> None:
    assert read(tmp_path).version.startswith("launch-agent@")
    assert read(tmp_path, environ={"WANDB_AGENT_VERSION": "wandb-launch-agent"}).version.startswith("launch-agent@")
    assert read(tmp_path, environ={"WANDB_AGENT_VERSION": "mine-1"}).version == "mine-1"


def test_the_settings_never_show_a_secret(tmp_path: Path) -> None:
    text = (
        "queues: [a]\nmacro_environment: [ZONE]\nbuilder:\n  type: kaniko\n  kaniko-config:\n    env:\n"
        f"    - {{name: DB_PASSWORD, value: hush}}\n"
        f"    - {{name: PLAIN, value: seen}}\n    - {{name: X, value: {KEY}}}\n"
    )
    environ = {"WANDB_API_KEY": KEY, "ZONE": "zone-secret", "HTTPS_PROXY": "http://u:proxy-secret@p:1"}
    found = read(tmp_path, text, environ)
    assert found.api_key.reveal() == KEY
    assert str(found.api_key) == "********"
    shown = repr(dataclasses.replace(found, builder={}))
    told = str(found.agent_config)
    for secret in (KEY, "hush", "zone-secret", "proxy-secret"):
        assert secret not in shown + told
    assert "seen" in told


def test_what_wandb_is_told_are_the_effective_values(tmp_path: Path) -> None:
    told = read(tmp_path, "queues: [a]\nmax_jobs: 2\n", flags=Flags(max_jobs=7)).agent_config
    assert (told["queues"], told["max_jobs"], told["entity"]) == (["a"], 7, None)
    assert "project" not in told


def test_a_secret_is_equal_to_its_like_only() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert repr(Secret("")) == "Secret()"


@pytest.mark.parametrize("key", ["builder", "registry", "environment", "policy", "customResources", "queues"])
def test_a_placeholder_in_place_of_a_block_is_a_problem_and_nothing_else(tmp_path: Path, key: str) -> None:
    found = problems(tmp_path, f"{key}: <A>\n")
    assert [one for one in found if one.startswith(f"{key}: still the placeholder")]
