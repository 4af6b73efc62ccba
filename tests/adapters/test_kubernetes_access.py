"""Service accounts, tokens and kubeconfigs."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launch_agent.adapters.kubernetes import kubeconfig
from launch_agent.adapters.kubernetes.access import ClusterAccess, Token, from_kubeconfig, in_cluster
from launch_agent.errors import ConfigError, KubernetesUnavailable

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


class Clock:
    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


# ── tokens ──


def test_a_token_file_is_read_again_after_a_minute_and_not_before(tmp_path: Path) -> None:
    file, clock = tmp_path / "token", Clock()
    file.write_text("one\n")
    token = Token(file=file, clock=clock)
    assert token.get() == "one"
    file.write_text("two\n")
    clock.now += 59
    assert token.get() == "one"
    clock.now += 2
    assert token.get() == "two"


def test_a_refused_token_is_read_again_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    token = Token(file=file, clock=Clock())
    token.get()
    file.write_text("two")
    assert token.get(fresh=True) == "two"


def test_a_token_file_that_is_away_for_a_moment_does_not_take_the_token_away(tmp_path: Path) -> None:
    file, clock = tmp_path / "token", Clock()
    file.write_text("one")
    token = Token(file=file, clock=clock)
    token.get()
    file.unlink()
    clock.now += 100
    assert token.get() == "one"


def test_a_token_file_that_never_was_is_told_and_worth_a_repeat(tmp_path: Path) -> None:
    with pytest.raises(KubernetesUnavailable) as caught:
        Token(file=tmp_path / "token").get()
    assert str(caught.value) == f"The token {tmp_path / 'token'} can not be read: No such file or directory."


def test_no_secret_is_in_the_text_of_an_access() -> None:
    access = ClusterAccess("https://a", token=Token(text="hunter2"), key="hunter2", proxy="http://u:hunter2@p")
    assert "hunter2" not in repr(access)


# ── the pod's own account ──


def make_account(root: Path) -> Path:
    (root / "token").write_text("tok")
    (root / "ca.crt").write_text("CA")
    (root / "namespace").write_text("ml\n")
    return root


def test_a_pod_uses_its_mounted_account(tmp_path: Path) -> None:
    access = in_cluster(POD, make_account(tmp_path))
    assert access is not None
    assert (access.server, access.namespace, access.ca) == ("https://10.0.0.1:6443", "ml", "CA")
    assert access.token is not None
    assert access.token.get() == "tok"


def test_an_address_of_ip_version_6_stands_in_brackets(tmp_path: Path) -> None:
    access = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, make_account(tmp_path))
    assert access is not None
    assert access.server == "https://[fd00::1]:443"


def test_outside_a_cluster_there_is_no_account(tmp_path: Path) -> None:
    assert in_cluster({}, make_account(tmp_path)) is None
    assert in_cluster(POD, tmp_path / "nothing") is None


def test_half_an_account_is_told(tmp_path: Path) -> None:
    (make_account(tmp_path) / "ca.crt").unlink()
    with pytest.raises(ConfigError, match=r"ca\.crt: No such file or directory"):
        in_cluster(POD, tmp_path)


# ── kubeconfigs ──


def entry(kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"name": name, kind: content}


def config(**parts: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "current-context": "here",
        "contexts": [entry("context", "here", cluster="c", user="u", namespace="ml")],
        "clusters": [entry("cluster", "c", server="https://api.example:6443/")],
        "users": [entry("user", "u", token="tok")],
    }
    return {**whole, **parts}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def load(path: Path, context: str | None = None) -> ClusterAccess:
    access = from_kubeconfig(path, context)
    assert access is not None
    return access


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    access = load(write(tmp_path / "config", config()))
    assert (access.server, access.namespace) == ("https://api.example:6443", "ml")
    assert access.token is not None
    assert access.token.get() == "tok"


def test_a_named_context_is_taken_instead(tmp_path: Path) -> None:
    contexts = [
        entry("context", "here", cluster="c", user="u"),
        entry("context", "there", cluster="d"),
    ]
    clusters = [entry("cluster", "c", server="https://c"), entry("cluster", "d", server="https://d")]
    path = write(tmp_path / "config", config(contexts=contexts, clusters=clusters))
    assert (load(path).server, load(path, "there").server) == ("https://c", "https://d")
    assert load(path, "there").token is None
    assert load(path, "there").namespace == "default"


def test_certificates_come_inline_or_from_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    write(tmp_path / "pki" / "ca.crt", "CA TEXT")
    inline = base64.b64encode(b"CERT TEXT").decode()
    write(tmp_path / "key.pem", "KEY TEXT")
    cluster = {"server": "https://c", "certificate-authority": "pki/ca.crt", "tls-server-name": "n"}
    user = {"client-certificate-data": inline, "client-key": str(tmp_path / "key.pem")}
    path = write(
        tmp_path / "config",
        config(clusters=[entry("cluster", "c", **cluster)], users=[entry("user", "u", **user)]),
    )
    access = load(path)
    assert (access.ca, access.certificate, access.key, access.tls_name) == ("CA TEXT", "CERT TEXT", "KEY TEXT", "n")
    assert access.token is None


def test_a_token_file_is_followed_and_goes_before_a_token(tmp_path: Path) -> None:
    write(tmp_path / "tok", "from the file")
    path = write(tmp_path / "config", config(users=[entry("user", "u", token="fixed", tokenFile="tok")]))
    token = load(path).token
    assert token is not None
    assert token.get() == "from the file"


def test_kubeconfig_lists_several_files_of_which_the_first_counts(tmp_path: Path) -> None:
    write(tmp_path / "a" / "ca.crt", "CA OF A")
    clusters = [entry("cluster", "c", **{"server": "https://a", "certificate-authority": "ca.crt"})]
    first = write(tmp_path / "a" / "one", {"clusters": clusters, "current-context": ""})
    second = write(tmp_path / "b" / "two", config())
    environ = {"KUBECONFIG": f"{tmp_path / 'missing'}:{first}::{second}"}
    access = from_kubeconfig(environ=environ, home=tmp_path)
    assert access is not None
    assert (access.server, access.ca, access.namespace) == ("https://a", "CA OF A", "ml")


def test_the_file_in_the_home_folder_is_the_last_resort(tmp_path: Path) -> None:
    assert from_kubeconfig(environ={}, home=tmp_path) is None
    write(tmp_path / ".kube" / "config", config())
    assert from_kubeconfig(environ={}, home=tmp_path) is not None
    assert from_kubeconfig(environ={"KUBECONFIG": str(tmp_path / "missing")}, home=tmp_path) is None


BROKEN: list[tuple[str, Any, str]] = [
    ("no YAML", "a: [", "is no YAML. while parsing"),
    ("no object", "- a", "is no object but a list."),
    ("nothing", "", "names no current context. Name one by --context."),
    (
        "context",
        config(**{"current-context": "x"}),
        "has no context 'x'. It has: here. Correct --context, or the file.",
    ),
    ("cluster", config(clusters=[]), "has no cluster 'c'. It has: none."),
    ("user", config(users=None), "has no user 'u'. It has: none."),
    ("entry", config(users=["u"]), "has something under users that is no object."),
    ("server", config(clusters=[entry("cluster", "c")]), "server '' is no address. Write https://HOST:PORT."),
    (
        "data",
        config(clusters=[entry("cluster", "c", **{"server": "https://c", "certificate-authority-data": "%"})]),
        "certificate-authority-data is no base64 of PEM text.",
    ),
    (
        "file",
        config(clusters=[entry("cluster", "c", **{"server": "https://c", "certificate-authority": "gone.crt"})]),
        "gone.crt can not be read: No such file or directory.",
    ),
    ("as", config(users=[entry("user", "u", **{"as": "admin"})]), "asks for acting as somebody else, which"),
    ("password", config(users=[entry("user", "u", username="a", password="b")]), "a user name with a password"),
]


@pytest.mark.parametrize(("content", "message"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN])
def test_a_kubeconfig_that_can_not_be_used_says_why(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "config", content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert message in str(caught.value)


def test_a_kubeconfig_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        from_kubeconfig(tmp_path / "none")
    assert str(caught.value) == (
        f"The kubeconfig {tmp_path / 'none'} does not exist. Correct --kubeconfig or KUBECONFIG."
    )


# ── credential plugins ──


def with_plugin(folder: Path, body: str) -> Path:
    """A kubeconfig whose user asks a program; it counts its calls in a file."""
    script = write(folder / "plugin.py", f"import json, pathlib\n{body}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(script)],
        "interactiveMode": "Never",
    }
    return write(folder / "config", config(users=[entry("user", "u", exec=command)]))


COUNTING = """
count = pathlib.Path(__file__).with_name("count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": f"token-{number}"}}))
"""


@contextlib.contextmanager
def silent_pipe(path: Path) -> Iterator[None]:
    """A pipe in which nothing ever comes. At the end its readers are let go: one that begins later finds no pipe."""
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    try:
        yield
    finally:
        path.unlink()
        os.close(held)


def test_a_plugins_token_is_used_and_asked_for_anew_when_it_is_refused(tmp_path: Path) -> None:
    token = load(with_plugin(tmp_path, COUNTING)).token
    assert token is not None
    assert token.get() == "token-1"
    assert token.get(fresh=True) == "token-2"
    assert token.get() == "token-2"


def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    status = {"clientCertificateData": "CERT TEXT", "clientKeyData": "KEY TEXT"}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    access = load(with_plugin(tmp_path, f"print({json.dumps(json.dumps(answer))})"))
    assert (access.certificate, access.key, access.token) == ("CERT TEXT", "KEY TEXT", None)


def test_a_plugin_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gave neither a token nor a certificate"):
        load(with_plugin(tmp_path, "raise SystemExit(3)"))


def test_a_plugin_that_never_answers_is_given_up(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, 'pathlib.Path(__file__).with_name("silent").read_bytes()')
    with silent_pipe(tmp_path / "silent"), pytest.raises(ConfigError) as caught:
        kubeconfig.load([path], None, plugin_timeout=0.2)
    assert str(caught.value).startswith(
        f"The credential plugin of the kubeconfig {path} gave no answer within 0 s. See"
    )


def test_a_plugin_without_the_official_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(ConfigError) as caught:
        load(with_plugin(tmp_path, COUNTING))
    assert str(caught.value).endswith(
        "needs a credential plugin. That takes the kubernetes package, which is not installed. "
        "Install launch-agent[kubeconfig], or use a service account's token."
    )
