"""Where workloads run: one file per target behind the Protocol in base.py."""
