"""Addresses of images and of context stores (protocol 6.3), more lenient than W&B's agent where that is safe."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GOOGLE = re.compile(r"[\w-]+-docker\.pkg\.dev\Z", re.IGNORECASE)
_AZURE = re.compile(r"[\w-]+\.azurecr\.[a-z.]+\Z", re.IGNORECASE)
_AMAZON = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[\w-]+\.amazonaws\.com(\.cn)?\Z")
_AMAZON_AS_DOCUMENTED = re.compile(r"(?P<account>\d+)\.ecr\.(?P<rest>[\w-]+\.amazonaws\.com(\.cn)?)\Z")
_AMAZON_LIKE = re.compile(r"\.amazonaws\.com(\.cn)?\Z")
_STORE = re.compile(r"(s3://[\w.-]+|gs://[\w.-]+|https://[\w-]+\.blob\.core\.windows\.net/[\w$-]+)(/.*)?\Z", re.DOTALL)
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*\Z")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an address is read as; what is wrong with it, or a note; how to cure it."""

    value: str
    fault: str = ""
    note: str = ""
    cure: str = ""


def judge(address: str) -> Judgement:
    """An image's address without tag, as ``builder.destination`` and ``registry.uri`` want it."""
    value = address.strip().removeprefix("https://").rstrip("/")
    if "://" in value:
        scheme = value.partition("://")[0]
        return Judgement(
            value, fault=f"begins with `{scheme}://`; allowed is an image's address", cure="leave the scheme out"
        )
    host, _, repository = value.partition("/")
    if "@" in repository:
        return Judgement(value, fault="holds a digest (`@`)", cure="end it before the `@`: the agent adds its own tag")
    if ":" in repository.rpartition("/")[2]:
        tag = repository.rpartition(":")[2]
        return Judgement(
            value, fault=f"ends with the tag `:{tag[:60]}`", cure="leave it out: the agent adds its own tag"
        )
    return _judge_host(value, host, repository)


def _judge_host(value: str, host: str, repository: str) -> Judgement:
    documented = _AMAZON_AS_DOCUMENTED.match(host)
    if documented:
        fixed = f"{documented['account']}.dkr.ecr.{documented['rest']}/{repository}"
        note = (
            "W&B's documentation writes `<account>.ecr.<region>…`, but the host is `<account>.dkr.ecr.<region>…`; "
            f"read as `{fixed}`"
        )
        return Judgement(fixed, note=note, cure=f"write `{fixed}`")
    if _GOOGLE.match(host):
        if len(repository.split("/")) < 3:
            fault = "a Google address needs project, repository and image"
            return Judgement(value, fault=fault, cure="write `<region>-docker.pkg.dev/<project>/<repository>/<image>`")
    elif _AMAZON_LIKE.search(host) and not _AMAZON.match(host):
        fault = "not the host of an Amazon registry"
        return Judgement(value, fault=fault, cure="write `<12 digits>.dkr.ecr.<region>.amazonaws.com/<repository>`")
    elif _AZURE.match(host) and not repository:
        fault = "an Azure address needs a repository"
        return Judgement(value, fault=fault, cure="write `<registry>.azurecr.io/<repository>`")
    elif not _REPOSITORY.match(repository or host):
        fault = "not an image's address (lower case letters, digits, `.`, `_`, `-` and `/`)"
        return Judgement(value, fault=fault, cure="write `<registry>/<repository>`")
    return Judgement(value)


def is_store(address: str) -> bool:
    """Whether build contexts can be kept at the address."""
    return _STORE.match(address) is not None
