"""Kubernetes' quantities as numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from launch_agent.core import quantities


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        (0.5, "0.5"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2Gi", str(2 * 1024**3)),
        ("2G", "2000000000"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        ("1Ei", str(1024**6)),
        ("12E2", "1200"),
        ("100n", "1e-7"),
        (" 4 ", "4"),
        ("-1", "-1"),
    ],
)
def test_a_quantity_is_an_exact_number(text: Any, number: str) -> None:
    assert quantities.parse(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "x", "1K", "1 Gi", "Gi", "1GiB", "0x1", True, None, "1e9999", "1.5.2"])
def test_what_is_no_quantity_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantities.parse(text)
