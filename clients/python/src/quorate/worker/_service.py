"""A worker as a NATS service: its replies to `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, as ADR-32 of NATS has them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Optional

from ._observation import Observed
from ._text import cut
from ._wire import Subjects

MAX_LAST_ERROR_BYTES = 256


@dataclass
class Losses:
    """What a worker has ignored or lost."""

    tasks_malformed: int = 0
    tasks_unoffered: int = 0
    tasks_expired: int = 0
    tasks_dropped: int = 0
    results_unsent: int = 0


@dataclass
class Counters:
    """What a worker has done since its start."""

    received: int = 0
    succeeded: int = 0
    failed: int = 0
    refused: int = 0
    processing_time_ns: int = 0
    last_error: str = ""
    losses: Losses = field(default_factory=Losses)

    def count(self, observed: Observed, response_time_ns: int) -> None:
        """Counts an answer."""
        self.processing_time_ns += response_time_ns
        if observed.err is None:
            self.succeeded += 1
        else:
            self.failed += 1
            self.last_error = cut(observed.err, MAX_LAST_ERROR_BYTES)


@dataclass(frozen=True)
class Identity:
    """Who a worker is, in one run of one process."""

    worker_id: str
    instance: str
    version: str
    replicated: bool
    queries: list[str]
    subjects: Subjects
    started: datetime

    @property
    def queue_group(self) -> str:
        """The group that replicas share, so that one of them receives each task."""
        return f"quorate-worker-{self.worker_id.encode().hex()}" if self.replicated else ""

    @property
    def presence(self) -> dict[str, object]:
        """The fields of an announcement beside the state."""
        return {
            "worker_id": self.worker_id,
            "instance": self.instance,
            "version": self.version,
            "replicated": self.replicated,
            "queries": self.queries,
        }


def reply(verb: str, identity: Identity, state: str, takes_packs: bool, counters: Counters) -> Optional[bytes]:
    """The reply to a request to the service; nothing if there is no such request."""
    body: dict[str, object] = {
        "type": f"io.nats.micro.v1.{verb.lower()}_response",
        "name": identity.subjects.service,
        "id": identity.instance,
        "version": identity.version,
        "metadata": {
            "worker_id": identity.worker_id,
            "replicated": "true" if identity.replicated else "false",
            "state": state,
            "queries": json.dumps(identity.queries),
            **({"packs": "true"} if takes_packs else {}),
        },
    }
    endpoint = {"name": "tasks", "subject": identity.subjects.tasks, "queue_group": identity.queue_group}
    if verb == "INFO":
        body["description"] = "A worker that answers the tasks of Quorate's coordinators"
        body["endpoints"] = [{**endpoint, "metadata": {}}]
    elif verb == "STATS":
        answered = counters.succeeded + counters.failed
        body["started"] = identity.started.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        body["endpoints"] = [
            {
                **endpoint,
                "num_requests": counters.received,
                "num_errors": counters.failed + counters.refused,
                "last_error": counters.last_error,
                "processing_time": counters.processing_time_ns,
                "average_processing_time": counters.processing_time_ns // answered if answered else 0,
                "data": asdict(counters.losses),
            }
        ]
    elif verb != "PING":
        return None
    return json.dumps(body).encode()
