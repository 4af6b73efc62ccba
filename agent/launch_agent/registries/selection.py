"""Which registry the configuration names (protocol 9.1), and what to talk to it with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launch_agent.errors import ConfigError
from launch_agent.registries.base import Place, Registry

AMAZON = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[\w-]+)\.amazonaws\.com(?:\.cn)?\Z", re.IGNORECASE)
GOOGLE = re.compile(r"(?:[\w-]+-docker\.pkg\.dev|(?:[\w-]+\.)?gcr\.io)\Z", re.IGNORECASE)
AZURE = re.compile(r"[\w-]+\.azurecr\.[a-z.]+\Z", re.IGNORECASE)
NAMES = {"ecr": "Amazon's (ecr)", "gcr": "Google's (gcr)", "acr": "Azure's (acr)"}


def find_place(registry: Mapping[str, Any], builder: Mapping[str, Any]) -> Place | None:
    """The registry of ``registry``, else that of ``builder.destination``; None where neither names one.

    The kind is told by the host, and ``registry.type`` has to agree. Raises ConfigError where it does not.
    """
    address = str(registry.get("uri") or "") or _join_parts(registry)
    given = str(registry.get("type") or "")
    if not address:
        address, registry, given = str(builder.get("destination") or ""), {}, ""
    if not address:
        return None
    host = address.partition("/")[0].lower()
    place = replace(_judge(host), is_asked=bool(registry))
    if given and given != place.kind:
        what = f"is {NAMES[place.kind]}" if place.kind else "is none of Amazon's, Google's or Azure's"
        raise ConfigError(
            f"registry.type is {given}, but the host {host} {what}.",
            resolution="Correct registry.type or registry.uri; without a type the host decides.",
        )
    return place


def _join_parts(registry: Mapping[str, Any]) -> str:
    """The address of a registry that is given by parts."""
    region, account = registry.get("region"), registry.get("account_id")
    if account and region:
        suffix = ".cn" if str(region).startswith("cn-") else ""
        return f"{account}.dkr.ecr.{region}.amazonaws.com{suffix}"
    if region and registry.get("repository") and registry.get("type") != "ecr":
        return f"{region}-docker.pkg.dev"
    return ""


def _judge(host: str) -> Place:
    amazon = AMAZON.match(host)
    if amazon:
        return Place("ecr", host, amazon["region"])
    if GOOGLE.match(host):
        return Place("gcr", host)
    return Place("acr" if AZURE.match(host) else "", host)


def connect(place: Place | None, environ: Mapping[str, str]) -> Registry | None:
    """Who gives credentials for a registry; None for one whose nodes need none of ours, such as Azure's.

    Raises CredentialError where the package that it takes is not installed.
    """
    if place is None:
        return None
    if place.kind == "ecr":
        from launch_agent.registries.amazon import AmazonRegistry

        return AmazonRegistry(place.host, place.region)
    if place.kind == "gcr":
        from launch_agent.registries.google import GoogleRegistry

        return GoogleRegistry(place.host, environ)
    return None
