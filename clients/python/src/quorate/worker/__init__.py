"""Workers: programs that answer the tasks of coordinators over NATS. Needs `pip install "quorate[worker]"`."""

from ._observation import Observation
from ._worker import Worker

__all__ = ["Observation", "Worker"]
