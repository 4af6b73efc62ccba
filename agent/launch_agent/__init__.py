"""The agent: takes items from queues, launches them, follows them, reports every failure."""

__version__ = "0.1.0"
