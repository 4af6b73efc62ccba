"""Separates two clouds of points by logistic regression, and logs each step through W&B's SDK."""

from __future__ import annotations

import math
import random
import time

import wandb

PAUSE = 0.4
"""Seconds between two steps, so that they can be watched."""

Point = tuple[float, float, int]


def make_points(count: int) -> list[Point]:
    """Two clouds that overlap a little; the third number says which one."""
    dice = random.Random(7)
    return [
        (dice.gauss(1.1 * side, 1.0), dice.gauss(0.7 * side, 1.0), int(side > 0))
        for side in (-1, 1)
        for _ in range(count)
    ]


def train_step(points: list[Point], weights: list[float], rate: float) -> tuple[float, float]:
    """One step of gradient descent, in place; the loss and the accuracy before it."""
    loss, hits, slope = 0.0, 0, [0.0, 0.0, 0.0]
    for x, y, side in points:
        chance = 1 / (1 + math.exp(-(weights[0] * x + weights[1] * y + weights[2])))
        loss -= math.log(chance if side else 1 - chance)
        hits += (chance > 0.5) == bool(side)
        for index, part in enumerate((x, y, 1.0)):
            slope[index] += (chance - side) * part
    for index in range(3):
        weights[index] -= rate * slope[index] / len(points)
    return loss / len(points), hits / len(points)


def main() -> None:
    """The run's name, project and server come from the agent, in environment variables."""
    # Sent each second instead of each 15th, to be watched. The SDK (0.31.0) takes a part of a second for none.
    settings = wandb.Settings(x_disable_stats=True, x_file_stream_transmit_interval=1)
    with wandb.init(config={"learning_rate": 0.1, "steps": 20}, settings=settings) as run:
        points, weights = make_points(300), [-0.9, -0.4, 0.5]
        for step in range(run.config["steps"]):
            loss, accuracy = train_step(points, weights, run.config["learning_rate"])
            run.log({"loss": loss, "accuracy": accuracy})
            print(f"step {step}: loss {loss:.4f}, accuracy {accuracy:.3f}", flush=True)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
