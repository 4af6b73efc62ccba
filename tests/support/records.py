"""Records for tests."""

from __future__ import annotations

from typing import Any

from launch_agent.core.models import Record, Resource


def make_record(item_id: str = "item-1", **changes: Any) -> Record:
    """A record of a claimed Kubernetes item."""
    values: dict[str, Any] = {
        "queue": "gpu",
        "queue_entity": "team",
        "run_id": "abc12345",
        "run_entity": "team",
        "run_project": "vision",
        "resource": Resource.KUBERNETES,
        "run_spec": {},
    }
    return Record(item_id=item_id, **{**values, **changes})


FULL = make_record(
    "UnVuUXVldWVJdGVtOjE=",
    run_spec={"entity": "team", "unknown": {"kept": [1, None, "ü"]}},
    claimed_at=1.5,
    release_after=60,
)
"""One with everything in it that a ledger keeps."""
