"""Clusters that items name: found, reached once, told with the item's own key where they can not be."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core.clusters import key
from launch_agent.errors import ConfigError
from tests.adapters.conftest import Connect, Serve
from tests.adapters.scripted import Reply, Request
from tests.adapters.test_kubernetes_access import COUNTING, config, entry, with_plugin, write

WHERE = "resource_args.kubernetes"


def two(folder: Path, name: str = "config", **servers: str) -> Path:
    """A kubeconfig with the contexts ``here`` (namespace ml) and ``there`` (namespace gpu), and a token for both."""
    contexts = [
        entry("context", "here", cluster="here", user="u", namespace="ml"),
        entry("context", "there", cluster="there", user="u", namespace="gpu"),
    ]
    clusters = [
        entry("cluster", one, server=servers.get(one, f"https://{one}.example:6443")) for one in ("here", "there")
    ]
    return write(folder / name, config(contexts=contexts, clusters=clusters))


def make(tmp_path: Path, *files: Path, **environ: str) -> Clusters:
    return Clusters(None, files=files, environ=environ, home=tmp_path)


def make_key(file: Path | str = "", context: str = "") -> str:
    return key({"configFile": str(file), "context": context})


# ── what is found ──


def test_a_file_gives_its_current_context_and_a_context_its_own(tmp_path: Path) -> None:
    path = two(tmp_path)
    clusters = make(tmp_path)
    assert clusters.namespace(make_key(path)) == "ml"
    assert clusters.namespace(make_key(path, "there")) == "gpu"


def test_a_context_alone_is_one_of_the_agents_own_kubeconfig(tmp_path: Path) -> None:
    path = two(tmp_path / "flag")
    assert make(tmp_path, path).namespace(make_key(context="there")) == "gpu"
    assert make(tmp_path, KUBECONFIG=str(path)).namespace(make_key(context="there")) == "gpu"
    two(tmp_path / ".kube")
    assert make(tmp_path).namespace(make_key(context="there")) == "gpu"


def test_kubeconfigs_of_the_agent_count_as_one_and_the_first_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"contexts": [entry("context", "there", cluster="here", namespace="first")]})
    second = two(tmp_path)
    listed = make(tmp_path, tmp_path / "missing", first, second)
    assert listed.namespace(make_key(context="there")) == "first"
    assert listed.namespace(make_key(context="here")) == "ml"
    variable = make(tmp_path, KUBECONFIG=os.pathsep.join([str(first), "", str(second)]))
    assert variable.namespace(make_key(context="there")) == "first"


def test_a_tilde_is_the_agents_home(tmp_path: Path) -> None:
    two(tmp_path)
    assert make(tmp_path).namespace(make_key("~/config")) == "ml"


def test_a_namespace_that_changes_in_the_file_changes_here_and_no_plugin_is_asked_for_it(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, COUNTING)
    clusters = make(tmp_path)
    assert clusters.namespace(make_key(path)) == "ml"
    write(path, path.read_text().replace("namespace: ml", "namespace: other"))
    assert clusters.namespace(make_key(path)) == "other"
    assert not (tmp_path / "count").exists()


# ── what is reached ──


def answer(name: str) -> Any:
    def script(request: Request) -> Reply:
        return Reply(body={"gitVersion": name, "token": request.headers.get("authorization")})

    return script


def test_each_cluster_is_asked_by_a_client_of_its_own_that_is_made_once(tmp_path: Path, serve: Serve) -> None:
    path = two(tmp_path, here=serve(answer("one")).url, there=serve(answer("two")).url)
    clusters = make(tmp_path)
    here, there = clusters.client(make_key(path)), clusters.client(make_key(path, "there"))
    assert (here.version()["gitVersion"], there.version()["gitVersion"]) == ("one", "two")
    assert (here.namespace, there.namespace) == ("ml", "gpu")
    assert clusters.client(make_key(path)) is here
    clusters.close()


def test_the_agents_own_cluster_is_its_own_client(serve: Serve, connect: Connect) -> None:
    own = connect(serve(answer("own")))
    assert Clusters(own).client("") is own


def test_threads_that_want_one_cluster_at_once_ask_its_plugin_once(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, COUNTING)
    clusters = make(tmp_path)
    threads = [threading.Thread(target=clusters.client, args=(make_key(path),)) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert (tmp_path / "count").read_text() == "1"
    clusters.close()


def test_a_token_that_was_changed_in_the_file_is_read_when_the_old_one_is_refused(tmp_path: Path, serve: Serve) -> None:
    def script(request: Request) -> Reply:
        return Reply(body={"gitVersion": "v"}) if request.headers["authorization"] == "Bearer new" else Reply(401)

    path = two(tmp_path, here=serve(script).url)
    client = make(tmp_path).client(make_key(path))
    write(path, path.read_text().replace("token: tok", "token: new"))
    assert client.version()["gitVersion"] == "v"
    client.close()


# ── what is refused ──

MANY = [entry("context", f"team-{number}", cluster="c") for number in range(30)]

FAULTS: list[tuple[str, Any, str, str]] = [
    (
        "missing",
        None,
        "",
        (
            "configFile: The kubeconfig {path} does not exist. Correct resource_args.kubernetes.configFile: it is a "
            "path on the agent's machine; in a pod, mount the file there."
        ),
    ),
    (
        "no YAML",
        "a: [",
        "",
        "configFile: The kubeconfig {path} is no YAML. while parsing a flow node Correct",
    ),
    (
        "context",
        config(),
        "their",
        (
            "context: The kubeconfig {path} has no context 'their'. It has: here. "
            "Correct resource_args.kubernetes.context, or resource_args.kubernetes.configFile."
        ),
    ),
    (
        "near ones of many",
        config(contexts=MANY),
        "taem-7",
        "context: The kubeconfig {path} has no context 'taem-7'. It has 30; near it: team-7,",
    ),
    ("no near one", config(contexts=MANY), "zzz", "has no context 'zzz'. It has 30, none near it. Correct"),
    (
        "no current one",
        config(**{"current-context": None}),
        "",
        "configFile: The kubeconfig {path} names no current context. Name one in resource_args.kubernetes.context.",
    ),
    ("cluster", config(clusters=[]), "here", "configFile: The kubeconfig {path} has no cluster 'c'. It has: none."),
]


@pytest.mark.parametrize(("content", "context", "message"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS])
def test_what_can_not_be_used_is_the_items_error_with_its_key_and_a_cure(
    tmp_path: Path, content: Any, context: str, message: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        write(path, content)
    clusters, wanted = make(tmp_path), make_key(path, context)
    with pytest.raises(ConfigError) as caught:
        clusters.namespace(wanted)
    assert message.format(path=path) in str(caught.value)
    assert str(caught.value).startswith(f"{WHERE}.")
    with pytest.raises(ConfigError) as again:
        clusters.client(wanted)
    assert str(again.value) == str(caught.value)


def test_a_context_without_any_kubeconfig_asks_for_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make(tmp_path).namespace(make_key(context="gpu"))
    assert str(caught.value) == (
        "resource_args.kubernetes.context names a context, and the agent has no kubeconfig to find it in. "
        "Name the file too, in resource_args.kubernetes.configFile: a path on the agent's machine."
    )


def test_a_folder_and_an_unreadable_path_are_told(tmp_path: Path) -> None:
    for wanted, why in (
        (str(tmp_path), "is no file"),
        ("/dev/zero", "is no file"),
        ("/nul\0l", "does not exist"),
        ("/" + "x" * 300, "too long"),
    ):
        with pytest.raises(ConfigError, match=why):
            make(tmp_path).namespace(make_key(wanted))


def test_a_plugin_that_fails_is_told_with_the_items_key_and_asked_again_the_next_time(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, "raise SystemExit(3)")
    clusters = make(tmp_path)
    with pytest.raises(ConfigError, match=rf"^{WHERE}.configFile: The credential plugin of the kubeconfig {path} gave"):
        clusters.client(make_key(path))
    with_plugin(tmp_path, COUNTING)
    clusters.client(make_key(path)).close()


def test_an_agent_without_a_cluster_says_so() -> None:
    with pytest.raises(ConfigError, match="has no cluster of its own"):
        Clusters(None).client("")
