"""An API server in memory, for the target's own logic: what it is asked, and what a test says that it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.errors import KubernetesConflict, KubernetesInvalid, KubernetesMissing

Json = dict[str, Any]


class Server:
    """Objects by (kind, name). ``on_try`` answers dry-runs."""

    def __init__(self, *bodies: Json) -> None:
        self.objects: dict[tuple[str, str], Json] = {(body["kind"], body["metadata"]["name"]): body for body in bodies}
        self.asked: list[str] = []
        self.events: list[Json] = []
        self.on_try: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda _body: ()

    @property
    def client(self) -> Client:
        """It, as the client that the target takes."""
        return cast(Client, self)

    def path(self, _version: str, kind: str, namespace: str) -> str:
        return f"/{namespace}/{kind}"

    def try_create(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        self.asked.append(f"try {body['kind']}")
        return self.on_try(body)

    def create(self, body: Mapping[str, Any]) -> Json:
        self.asked.append(f"create {body['kind']}")
        key = (body["kind"], body["metadata"]["name"])
        if key in self.objects:
            raise KubernetesConflict("taken", status=409)
        self.objects[key] = {**body, "metadata": {**body["metadata"], "uid": f"uid-{body['metadata']['name']}"}}
        return self.objects[key]

    def get(self, _version: str, kind: str, _namespace: str, name: str) -> Json | None:
        self.asked.append(f"get {kind} {name}")
        return self.objects.get((kind, name))

    def list(
        self, _version: str, kind: str, _namespace: str, *, label_selector: str = ""
    ) -> tuple[Sequence[Json], str]:
        self.asked.append(f"list {kind} {label_selector}".strip())
        wanted = dict(re.findall(r"([^=,]+)=([^,]*)", label_selector))
        found = [body for (one, _), body in self.objects.items() if one == kind]
        return [body for body in found if wanted.items() <= body["metadata"].get("labels", {}).items()], "1"

    def patch(
        self, _version: str, kind: str, _namespace: str, name: str, body: Any, *, content_type: str = "merge"
    ) -> Json:
        self.asked.append(f"patch {kind} {name}")
        found = self.objects.get((kind, name))
        if found is None:
            raise KubernetesMissing("no such object", status=404)
        if content_type.endswith("json-patch+json"):
            test, *changes = body
            label = test["path"].removeprefix("/metadata/labels/").replace("~1", "/")
            if (found["metadata"].get("labels") or {}).get(label) != test["value"]:
                raise KubernetesInvalid("the test failed", status=422)
            for change in changes:
                place = found["metadata"] if change["path"].startswith("/metadata/") else found
                place[change["path"].rpartition("/")[2]] = change["value"]
        else:
            found.setdefault("patched", []).append(body)
        return found

    def delete(
        self, _version: str, kind: str, _namespace: str, name: str, *, propagation: str = "Background", uid: str = ""
    ) -> bool:
        self.asked.append(f"delete {kind} {name} {propagation}")
        found = self.objects.get((kind, name))
        if found is None or (uid and found["metadata"].get("uid") != uid):
            return False
        del self.objects[kind, name]
        return True

    def request(self, _method: str, path: str) -> Json:
        self.asked.append(f"read {path.partition('?')[0]}")
        return {"items": list(self.events), "metadata": {}}
