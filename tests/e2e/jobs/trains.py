"""Trains for five steps and finishes."""

import wandb

with wandb.init(config={"lr": 0.1}) as run:
    for step in range(5):
        run.log({"loss": 1.0 / (step + 1), "accuracy": step / 5})
    run.summary["best"] = 0.8
print("trained")
