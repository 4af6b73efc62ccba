"""The chart on a real API server. Run inside a cluster's network: `ci/inside .venv/bin/pytest tests/chart/live`."""

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
def site(sites: SiteFactory) -> Site:
    """A release of its own."""
    return sites()
