"""One process of a job: tells what it was given, does what ACT says, ends as told.

ACT is ``finish`` (the default), ``fail`` (exit code 7 after a last line), or ``wait`` (until it is ended). FAIL_INDEX
lets one index of an Indexed Job fail and index 0, which then has nothing to do, wait. The process that has the run's
id, index 0 of several, starts and ends the run.
"""

import json
import os
import signal
import sys

TOLD = ("WANDB_RUN_ID", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "RANK", "WORLD_SIZE", "JOB_COMPLETION_INDEX")

index = os.environ.get("JOB_COMPLETION_INDEX", "")
given = {name: os.environ[name] for name in TOLD if name in os.environ}
print(
    json.dumps(given | {"key": len(os.environ.get("WANDB_API_KEY", "")), "role": os.environ.get("ROLE", "")}),
    flush=True,
)

act = os.environ.get("ACT", "finish")
if os.environ.get("HEEDS_SIGTERM"):
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
if fails := os.environ.get("FAIL_INDEX"):
    act = {fails: "fail", "0": "wait"}.get(index, act)
if "WANDB_RUN_ID" in os.environ and index in {"", "0"}:
    import wandb

    run = wandb.init()
    run.log({"loss": 0.5})
    if act == "wait":
        print("waiting to be ended", flush=True)
        signal.pause()
    run.finish(exit_code=7 if act == "fail" else 0)
if act == "wait":
    # The first process of a container is not ended by a signal that it does not handle: its pod would stay for the
    # whole grace of 30 s. Where there is a run, the SDK sees to its end.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    signal.pause()
if act == "fail":
    print(f"no shard for {os.environ.get('ROLE') or 'index ' + index}", flush=True)
    sys.exit(7)
print("done", flush=True)
