"""Labels and annotations by which objects tell whose they are: the agent's own, and W&B's (protocol 7.3)."""

from __future__ import annotations

OWN = "launch-agent/"
"""What the agent's own labels and annotations begin with."""

WANDB = "wandb.ai/"
"""What W&B's begin with."""

RECORD_LABEL = "launch-agent/record"
"""On a record of the ledger."""

INSTALLATION_LABEL = "launch-agent/installation"
"""Whose agent made it: the same over restarts and replicas."""

SHARD_LABEL = "launch-agent/shard"
"""On what belongs to a shard of an installation with several replicas (`shares`); shard 0's has none."""

ITEM_LABEL = "launch-agent/item"
"""On all that was made for an item: its id as a label can hold it (`names.item_label`)."""

ITEM_ANNOTATION = "launch-agent/item-id"
"""The item's id as it is."""

QUEUE_ANNOTATION = "launch-agent/queue"
RUN_ANNOTATION = "launch-agent/run"
RUN_ID_ANNOTATION = "launch-agent/run-id"
RECEIPT_ANNOTATION = "launch-agent/receipt"
"""What the agent did to the manifest (`receipt`)."""

TTL_ANNOTATION = "launch-agent/ttl-seconds-after-finished"
"""Holds a Job's ``ttlSecondsAfterFinished`` back until its outcome is reported."""

MAIN_ANNOTATION = "launch-agent/main-container"
"""On a pod template or the object: the name of the job's container, where that is not the first."""

LEADING_ANNOTATION = "launch-agent/leading"
"""On the leading pod template (value ``true``): its pods are the ones whose log and end tell most."""

DRAIN_ANNOTATION = "launch-agent/drain"
"""On the Lease: since when no item is to be taken (`draining`)."""

DRAIN_ANSWER_ANNOTATION = "launch-agent/drain-answer"
"""On the Lease, by the agent: `draining.Answer` as JSON."""

SHARE_ANNOTATION = "launch-agent/share"
"""On a shard's Lease, by its holder: `shares.Posting` as JSON."""

WANTED_ANNOTATION = "launch-agent/wanted"
"""On a shard's Lease: the process without a shard that asks its holder, which has several, for this one."""

RUN_LABEL = "wandb.ai/run-id"
MONITOR_LABEL = "wandb.ai/monitor"
AGENT_LABEL = "wandb.ai/agent"
CREATED_BY_LABEL = "wandb.ai/created-by"
AUXILIARY_LABEL = "wandb.ai/auxiliary-resource"
"""On additional services and their pods: they are no part of the workload."""

CREATED_BY = "launch-agent"
"""The value of `CREATED_BY_LABEL`."""

WANDB_LABELS = frozenset({RUN_LABEL, MONITOR_LABEL, AGENT_LABEL, CREATED_BY_LABEL, AUXILIARY_LABEL})
"""Those of W&B's that the agent gives."""
