"""Starts its run, then gives up with exit code 1."""

import sys

import wandb

run = wandb.init()
run.log({"loss": 1.0})
print("no training data in /data/train")
sys.exit(1)
