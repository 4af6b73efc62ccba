"""Service accounts with exactly the rights that a test gives them, and kubeconfigs that work as them."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import httpx
import yaml

from launch_agent.core.permissions import Permission
from tests.support.cluster import Json

RBAC = "rbac.authorization.k8s.io"


def kubectl(*words: str, given: str = "") -> str:
    """What kubectl says, as the cluster's administrator."""
    done = subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_rules(rows: Iterable[Permission], without: tuple[str, str] = ("", "")) -> list[Json]:
    """RBAC's rules for the table's rows, one (resource, verb) left out."""
    rules = []
    for row in rows:
        verbs = [verb for verb in row.verbs if (row.resource, verb) != without]
        rule: Json = {"apiGroups": [row.group], "resources": [row.resource], "verbs": verbs}
        if row.names:
            rule["resourceNames"] = list(row.names)
        if verbs:
            rules.append(rule)
    return rules


def describe_account(home: str, name: str, rules: Mapping[str, Sequence[Json]]) -> list[Json]:
    """The account in ``home``, with a Role and a RoleBinding in each namespace of ``rules``."""
    objects: list[Json] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": home}}
    ]
    for namespace, listed in rules.items():
        metadata = {"name": name, "namespace": namespace}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": home}
        role = {"apiGroup": RBAC, "kind": "Role", "name": name}
        objects += [
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": list(listed)},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": role,
                "subjects": [subject],
            },
        ]
    return objects


def apply(objects: Sequence[Json]) -> None:
    """Make or change them all."""
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def write_kubeconfig(path: Path, home: str, name: str) -> Path:
    """A kubeconfig that works as the account, through the same server."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"].split(os.pathsep)[0]).read_text())
    token = kubectl("create", "token", name, "--namespace", home, "--duration", "1h").strip()
    config["users"] = [{"name": "account", "user": {"token": token}}]
    for context in config["contexts"]:
        context["context"]["user"] = "account"
    path.write_text(yaml.safe_dump(config))
    return path


def try_token(kubeconfig: Path, token: str) -> int:
    """The HTTP status that the kubeconfig's server has for a token: 401 for one that is over."""
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    inline = cluster.get("certificate-authority-data")
    authority = base64.b64decode(inline) if inline else Path(cluster["certificate-authority"]).read_bytes()
    context = ssl.create_default_context(cadata=authority.decode())
    header = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{cluster['server']}/version", headers=header, verify=context, trust_env=False).status_code
