"""Measurements: each next to W&B's agent or to the raw limit of the same run. `make bench` runs all."""
