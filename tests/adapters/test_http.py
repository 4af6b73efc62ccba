"""What both clients share."""

from __future__ import annotations

import pytest

from launch_agent.adapters.http import read_wait

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "12"}, 12.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "86400"}, 300.0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0.0),
        ({"Retry-After": "tomorrow"}, None),
        ({"Retry-After": "1e400"}, 300.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "4"}, 4.0),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "4"}, None),
        ({"Retry-After": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "40"}, 2.0),
    ],
)
def test_a_server_names_the_wait_in_seconds_as_a_date_or_by_its_rate_limit(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert read_wait(headers, now=lambda: NOW) == seconds
