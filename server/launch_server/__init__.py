"""The self-hosted queue server: W&B Launch's API on SQLite or PostgreSQL."""

__version__ = "0.1.0"
