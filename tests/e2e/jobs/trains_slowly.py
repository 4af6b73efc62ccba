"""Trains long enough for the agent to be replaced meanwhile."""

import time

import wandb

with wandb.init() as run:
    for step in range(15):
        run.log({"loss": 1.0 / (step + 1)})
        time.sleep(1)
print("trained slowly")
