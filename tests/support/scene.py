"""A scripted W&B and API server, as `launch-agent check` sees them: all is well until a test says otherwise."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.adapters.scripted import Reply, Request, ScriptedServer

Json = dict[str, Any]

KEY = "0123456789" * 4
USER = "system:serviceaccount:wandb:agent"
ALIAS = re.compile(r"^  (a\d+): (\w+)", re.M)
POD = {"WANDB_RELEASE_NAME": "rel", "POD_NAMESPACE": "wandb", "LAUNCH_AGENT_LEASE": "launch-agent-rel"}
"""The environment that the chart gives."""


@dataclass(slots=True)
class Wandb:
    """What W&B knows. A queue's value is (resource, arguments, template variables), or None for no config."""

    viewer: Json | None = field(default_factory=lambda: {"id": "1", "entity": "team", "username": "alice"})
    entities: tuple[str, ...] = ("team",)
    queues: dict[str, tuple[str, Json, dict[str, Json]] | None] = field(
        default_factory=lambda: {"gpu": ("kubernetes", {"metadata": {"namespace": "jobs"}}, {})}
    )
    failure: Reply | None = None
    hold: threading.Event | None = None

    def answer(self, request: Request) -> Reply:
        """One document, each of its fields."""
        if self.hold is not None:
            self.hold.wait(30)
        if self.failure is not None:
            return self.failure
        body = request.json
        data = {}
        for alias, name in ALIAS.findall(body["query"]):
            prefix = f"v{alias[1:]}_"
            given = {key.removeprefix(prefix): text for key, text in body["variables"].items() if prefix in key}
            data[alias] = self._resolve(name, given)
        return Reply(body={"data": data})

    def _resolve(self, name: str, given: Mapping[str, str]) -> Json | None:
        if name == "viewer":
            return self.viewer
        if name == "entity":
            resource, arguments, variables = self.queues[given["config"]] or ("", {}, {})
            listed = [{"name": one, "schema": json.dumps(schema)} for one, schema in variables.items()]
            config = {"resource_args": {resource: arguments}}
            found = {"resource": resource, "config": config, "templateVariables": listed}
            return {"defaultResourceConfig": found}
        if given["entityName"] not in self.entities:
            return None
        if "queue" not in given:
            return {"runQueues": [{"id": one, "name": one, "createdBy": 1, "access": "PROJECT"} for one in self.queues]}
        queue = given["queue"]
        return {"runQueue": {"id": queue, "defaultResourceConfigID": queue if self.queues[queue] else None}}


@dataclass(slots=True)
class Kubernetes:
    """What the API server allows, has and refuses. Keys of ``refusals`` and ``warnings`` are (namespace, kind)."""

    refused: set[tuple[str, str]] = field(default_factory=lambda: {("jobs", "create pods")})
    namespaces: tuple[str, ...] = ("wandb", "jobs", "default")
    secrets: dict[str, Json] = field(
        default_factory=lambda: {
            "jobs/wandb-api-key-rel": {"password": KEY},
            "wandb/wandb-api-key-rel": {"password": KEY},
        }
    )
    holder: str | None = "launch-agent-rel-abc"
    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    warnings: dict[tuple[str, str], str] = field(default_factory=dict)
    version: Json = field(default_factory=lambda: {"major": "1", "minor": "34", "gitVersion": "v1.34.4"})
    failure: Reply | None = None
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tried: list[Json] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        """One request."""
        if self.failure is not None:
            return self.failure
        if request.path == "/version":
            return Reply(body=self.version)
        if request.path.endswith("/selfsubjectaccessreviews"):
            return self._review(request.json["spec"]["resourceAttributes"])
        if request.method == "POST":
            assert request.query["dryRun"] == "All", "something would have been created"
            return self._try(request.json)
        assert request.method == "GET"
        if group := self.kinds.get(request.path.removeprefix("/apis/")):
            return Reply(body={"resources": [{"name": plural, "kind": kind} for kind, plural in group.items()]})
        return self._get(request.path.split("/"))

    def _review(self, asked: Json) -> Reply:
        resource = "/".join(filter(None, [asked["resource"], asked["subresource"]]))
        words = f"{asked['verb']} {resource}"
        self.asked.append(" ".join(filter(None, [asked["namespace"] or "*", words, asked["group"], asked["name"]])))
        allowed = not {(asked["namespace"], words), (asked["namespace"], "everything")} & self.refused
        return Reply(201, {"status": {"allowed": allowed}})

    def _try(self, body: Json) -> Reply:
        self.tried.append(body)
        namespace, kind = body["metadata"]["namespace"], body["kind"]
        if namespace not in self.namespaces:
            return _fail(404, f'namespaces "{namespace}" not found')
        if (namespace, kind) in self.refusals:
            return _fail(*self.refusals[namespace, kind])
        text = self.warnings.get((namespace, kind))
        return Reply(201, body, {"Warning": f'299 - "{text}"'} if text else {})

    def _get(self, parts: list[str]) -> Reply:
        namespace, resource, name = parts[-3:]
        if resource == "leases" and self.holder is not None:
            return Reply(body={"metadata": {"name": name}, "spec": {"holderIdentity": self.holder}})
        data = self.secrets.get(f"{namespace}/{name}")
        if resource != "secrets" or data is None:
            return _fail(404, f'{resource} "{name}" not found')
        return Reply(body={"data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}})


def _fail(status: int, message: str) -> Reply:
    return Reply(status, {"kind": "Status", "message": message})


@dataclass(frozen=True, slots=True)
class Scene:
    """Both, served, and a home folder with the kubeconfig."""

    wandb: Wandb
    kubernetes: Kubernetes
    home: Path
    wandb_url: str
    kubernetes_url: str

    @property
    def environ(self) -> dict[str, str]:
        """The environment of an agent in the namespace wandb, with jobs in the namespace jobs."""
        return {
            **POD,
            "WANDB_API_KEY": KEY,
            "WANDB_BASE_URL": self.wandb_url,
            "KUBECONFIG": str(self.home / "kubeconfig"),
            "LAUNCH_AGENT_TARGET_NAMESPACES": "jobs",
        }

    def write_kubeconfig(self) -> None:
        """The file that ``environ`` names."""
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.kubernetes_url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (self.home / "kubeconfig").write_text(json.dumps(config))

    def plain(self, text: str) -> str:
        """Output without what differs from one test to the next: addresses, seconds, widths."""
        text = text.replace(self.wandb_url, "WANDB").replace(self.kubernetes_url, "CLUSTER")
        text = text.replace(self.wandb_url.removeprefix("http://"), "WANDB").replace(str(self.home), "HOME")
        return re.sub(r"after \d+\.\d\d s", "after N s", text)


def make_scene(wandb: ScriptedServer, kubernetes: ScriptedServer, state: tuple[Wandb, Kubernetes], home: Path) -> Scene:
    """A scene of two running servers."""
    scene = Scene(*state, home, wandb.url, kubernetes.url)
    scene.write_kubeconfig()
    return scene
