"""Events of a Job: the only place that tells why it has no pods."""

from __future__ import annotations

from typing import Any

from launch_agent.core import diagnosis


def event(reason: str, message: str, at: str) -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


def test_the_latest_refusal_is_told_with_a_cure() -> None:
    found = diagnosis.from_events(
        [
            event("FailedCreate", "exceeded quota: old", "2026-01-01T00:00:00Z"),
            event("FailedCreate", "exceeded quota: new", "2026-01-01T00:01:00Z"),
            event("Suspended", "Job suspended", "2026-01-01T00:02:00Z"),
        ]
    )
    assert found is not None
    assert found.category == "PodsRefused"
    assert found.detail == "exceeded quota: new."
    assert "quota" in found.resolution
    assert found.fails_after is None


def test_other_events_are_no_trouble() -> None:
    assert diagnosis.from_events([event("SuccessfulCreate", "Created pod: x", "2026-01-01T00:00:00Z")]) is None
    assert diagnosis.from_events([]) is None
