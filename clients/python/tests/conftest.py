"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A NATS server, to which the test adds coordinators and workers."""
    with Cluster() as started:
        yield started
