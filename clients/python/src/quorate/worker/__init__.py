"""Workers: programs that answer the tasks of coordinators over NATS. Needs `pip install "quorate[worker]"`."""

from ._errors import NatsClosed
from ._observation import Observation
from ._worker import Worker

__all__ = ["NatsClosed", "Observation", "Worker"]

# Tracebacks and documentation show the names under which they are imported.
for _kind in (NatsClosed, Worker):
    _kind.__module__ = __name__
