"""The chart on a real API server. Run inside a cluster's network: `ci/inside .venv/bin/pytest tests/chart/live`."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_helm_charts.clusters import Cluster
from pytest_helm_charts.fixtures import kube_cluster as kube_cluster

from tests.support.site import Site, SiteFactory, close_site, make_site


@pytest.fixture(scope="module")
def kube_config() -> str:
    """Takes the place of pytest-helm-charts' command line option."""
    return os.environ["KUBECONFIG"]


@pytest.fixture
def sites(kube_cluster: Cluster, helm: Path) -> Iterator[SiteFactory]:
    """`sites(release)`: a site more; all of them end with the test."""
    made: list[Site] = []

    def make(release: str = "") -> Site:
        made.append(make_site(kube_cluster, helm, release))
        return made[-1]

    yield make
    for site in made:
        close_site(site)


@pytest.fixture
def wandb_alone() -> Iterator[None]:
    """The namespace `wandb`: W&B's Secrets there have the same names in every release, so one test at a time.

    Ask for it before `site`, so that the release is gone when the next test begins.
    """
    with Path(os.environ["KUBECONFIG"]).with_suffix(".wandb-lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def site(sites: SiteFactory) -> Site:
    """A release of its own."""
    return sites()
