"""The Secret that a job's images are pulled with (protocol 7.3.3, W29, W46)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "regcred-"
FIELD = ".dockerconfigjson"


@dataclass(frozen=True, slots=True)
class PullCredential:
    """Who may pull from a registry. ``registry`` is its host, with the port if it has one."""

    registry: str
    username: str
    password: str = field(repr=False)


def make(credential: PullCredential, name: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The Secret (``regcred-<run id>``), filed under the registry's host: it fits all of its repositories."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "type": "kubernetes.io/dockerconfigjson",
        "data": make_data(credential),
    }


def make_data(credential: PullCredential) -> dict[str, str]:
    """The Secret's data: what changes when the credential is renewed."""
    login = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    entry = {"username": credential.username, "password": credential.password, "auth": login}
    text = json.dumps({"auths": {credential.registry: entry}})
    return {FIELD: base64.b64encode(text.encode()).decode()}
