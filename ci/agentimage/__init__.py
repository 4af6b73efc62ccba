"""Builds the agent's image; `ci/image` is the command."""
