"""Manifests against Kubernetes' own schemas, strictly: an unknown field is a fault."""

import json
from functools import cache
from typing import Any

import kubernetes_validate

# The oldest and the newest Kubernetes that the chart supports; kubernetes-validate has the schemas of both.
OLDEST, NEWEST = "1.29", "1.37"
# Kinds of operators, which Kubernetes has no schema for.
FOREIGN = {"monitoring.coreos.com/v1"}


def check_manifest(item: dict[str, Any], version: str) -> None:
    """Fail when a Kubernetes API server of `version` does not know the object like this."""
    fault = _find_fault(json.dumps(item, sort_keys=True), version)
    name = item.get("metadata", {}).get("name")
    assert not fault, f"{item.get('kind')} {name} is not valid for Kubernetes {version}: {fault}"


@cache
def _find_fault(text: str, version: str) -> str:
    """The first fault of an object, "" when there is none; each distinct object is looked at once."""
    item = json.loads(text)
    if item.get("apiVersion") in FOREIGN:
        return ""
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"at {'.'.join(map(str, error.path)) or 'the top'}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"there is no {item.get('kind')} in {item.get('apiVersion')}"
    return ""
