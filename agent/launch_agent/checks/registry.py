"""The configured registry: can the credential be had that jobs pull its images with."""

from __future__ import annotations

from collections.abc import Mapping

from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.trials import fail
from launch_agent.errors import ConfigError
from launch_agent.registries import selection
from launch_agent.registries.base import CredentialError
from launch_agent.settings import Settings


def try_registry(settings: Settings, environ: Mapping[str, str]) -> Check | None:
    """A credential, asked for; None where the configuration names no registry that gives one."""
    try:
        place = selection.find_place(settings.registry, settings.builder)
    except ConfigError as error:
        return fail("registry", Area.CONFIGURATION, error)
    if place is None or place.kind not in {"ecr", "gcr"}:
        return None
    name = f"registry {place.host}"
    registry = None
    try:
        registry = selection.connect(place, environ)
        if registry is not None:
            registry.issue()
    except CredentialError as error:
        if place.is_asked and registry is not None:  # without its package the agent goes on, and items get no Secret
            return fail(name, Area.CONFIGURATION, error)
        what = f"jobs get no Secret to pull with: {error.summary}"
        return Check(name, Area.CONFIGURATION, Status.WARN, what, error.resolution)
    return Check(name, Area.CONFIGURATION, Status.OK, "gives a credential to pull images with")
