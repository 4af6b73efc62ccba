"""Trains long enough for the agent to be replaced meanwhile: as many seconds as its argument says, or 15."""

import sys
import time

import wandb

with wandb.init() as run:
    for step in range(int(sys.argv[1]) if len(sys.argv) > 1 else 15):
        run.log({"loss": 1.0 / (step + 1)})
        time.sleep(1)
print("trained slowly")
