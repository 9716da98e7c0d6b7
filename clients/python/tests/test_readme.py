"""The examples of the README, as they are written there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cluster import Cluster, until

README = Path(__file__).parents[1] / "README.md"


def test_every_example_does_what_the_readme_says(cluster: Cluster, tmp_path: Path) -> None:
    coordinator = cluster.coordinator()
    examples = []
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)):
        here = block.replace("http://localhost:8080", coordinator.url)
        path = tmp_path / f"example_{number}.py"
        path.write_text(here.replace("nats://localhost:4222", cluster.nats.url))
        examples.append(path)
    price, ask, both, follow, worker = examples

    running = cluster.program([sys.executable, str(worker)], "")
    coordinator.wait_for(1)
    assert coordinator.client.queries()[0].query == "BTC/USD"
    cluster.program([sys.executable, str(price)], r"42000\.5\n")
    cluster.program([sys.executable, str(ask)], r"42000\.5 complete All workers responded successfully")
    cluster.program([sys.executable, str(both)], r"42000\.5 2500\.1\n")
    following = cluster.program([sys.executable, str(follow)], "", {"PYTHONUNBUFFERED": "1"})

    def has_followed() -> bool:
        coordinator.client.ask("BTC/USD")
        return "42000.5 complete\n" in following.written

    until("the follower to hear of an answer", has_followed)
    running.kill()
    cluster.program([sys.executable, str(ask)], "no answer: ")

    checked = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *map(str, examples)]
    ended = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
