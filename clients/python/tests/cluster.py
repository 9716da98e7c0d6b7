"""A NATS server, coordinators and workers for one test: processes, ended with it.

`QUORATE_BIN` names the folder of the built programs, `NATS_SERVER` the NATS server.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Optional, TypeVar

from quorate import Client

#: How long a test waits for something that must happen.
PATIENCE_S = 30.0

#: A simulated source that is fast and never fails.
QUICK = ("--delay-min-ms", "1", "--delay-max-ms", "5", "--failure-rate", "0")
#: One that answers after longer than any test takes.
STUCK = ("--delay-min-ms", "50000", "--delay-max-ms", "50000", "--failure-rate", "0")

T = TypeVar("T")


def until(what: str, found: Callable[[], Optional[T]]) -> T:
    """Waits for something that is true, checking again and again."""
    deadline = time.monotonic() + PATIENCE_S
    while not (result := found()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)
    return result


class Program:
    """A running process. What it writes is kept."""

    def __init__(self, arguments: Sequence[str], variables: Optional[Mapping[str, str]] = None) -> None:
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(variables or {})},
        )
        self._written: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._written.append(line)

    @property
    def written(self) -> str:
        return "".join(self._written)

    def writes(self, pattern: str) -> re.Match[str]:
        """Waits until it has written what the pattern matches."""

        def found() -> Optional[re.Match[str]]:
            match = re.search(pattern, self.written)
            assert match or self._process.poll() is None, f"it has ended: {self.written}"
            return match

        return until(f"{pattern} in: {self.written}", found)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Waits until it ends by itself, and returns its exit code."""
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def kill(self) -> None:
        self._process.kill()
        self.ended()


class Nats:
    """A NATS server on a port below those that the system gives away, with settings that can be changed."""

    def __init__(self, settings: str = "") -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._settings = Path(self._folder.name) / "nats.conf"
        with socket.socket() as probe:
            while True:
                self.port = random.randrange(12_000, 20_000)
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    break
        self._program: Optional[Program] = None
        self.start(settings)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self, settings: str = "") -> None:
        self._settings.write_text(settings)
        server = [os.environ["NATS_SERVER"], "--config", str(self._settings)]
        self._program = Program([*server, "--addr", "127.0.0.1", "--port", str(self.port)])
        self._program.writes("Server is ready")

    def reload(self, settings: str) -> None:
        """Changes the settings while it runs."""
        assert self._program is not None
        self._settings.write_text(settings)
        self._program.signal(signal.SIGHUP)
        self._program.writes("Reloaded server configuration")

    def stall(self) -> None:
        """Lets it answer nothing any more, until it is killed."""
        assert self._program is not None
        self._program.signal(signal.SIGSTOP)

    def kill(self) -> None:
        if self._program is not None:
            self._program.kill()
            self._program = None


class Cluster:
    """Everything that a test starts. Ended in the opposite order."""

    def __enter__(self) -> Cluster:
        self._stack = ExitStack()
        self.nats = Nats()
        self._stack.callback(self.nats.kill)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._stack.close()

    def coordinator(self, *flags: str, listen: str = "127.0.0.1:0") -> Coordinator:
        return Coordinator(self, listen, flags)

    def worker(self, name: str, *flags: str) -> Program:
        """A worker with a simulated source. It is live when this returns."""
        return self.program([binary("worker"), "--nats", self.nats.url, "--id", name, *flags], "the bus is connected")

    def python(self, script: Path, name: str, *arguments: str) -> Program:
        """A worker in Python."""
        variables = {"NATS_URL": self.nats.url, "PYTHONDONTWRITEBYTECODE": "1"}
        return self.program([sys.executable, str(script), name, *arguments], "", variables)

    def program(
        self, arguments: Sequence[str], until_it_writes: str, variables: Optional[Mapping[str, str]] = None
    ) -> Program:
        program = Program(arguments, variables)
        self._stack.callback(program.kill)
        program.writes(until_it_writes)
        return program


class Relay:
    """Passes connections on to an address until they are cut."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._to = host, int(port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            here, _ = self._listener.accept()
            there = socket.create_connection(self._to)
            self._open += [here, there]
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65536):
                other.sendall(piece)

    def cut(self) -> None:
        """Breaks off every open connection."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()


class Coordinator:
    """A coordinator that can be restarted on its address, with a client of it."""

    def __init__(self, cluster: Cluster, listen: str, flags: Sequence[str]) -> None:
        self._cluster = cluster
        self._flags = flags
        self.start(listen)
        self.client = Client(self.url)

    def start(self, listen: str) -> None:
        arguments = [binary("coordinator"), "--nats", self._cluster.nats.url, "--listen", listen, *self._flags]
        unlimited = {"QUORATE_RATE_LIMIT": "0", "QUORATE_READ_RATE_LIMIT": "0"}
        # It listens before it is connected.
        self.program = self._cluster.program(arguments, "the bus is connected", unlimited)
        self.address = self.program.writes(r"the coordinator listens address=(\S+)")[1]
        self.url = f"http://{self.address}"

    def restart(self) -> None:
        """Kills it, and starts another process on its address."""
        self.program.kill()
        self.start(self.address)

    def wait_for(self, count: int, state: str = "live") -> None:
        def found() -> bool:
            return sum(worker.state == state for worker in self.client.workers().workers) == count

        until(f"{count} {state} workers", found)

    def wait_for_in_flight(self, count: int) -> None:
        until(f"{count} requests in flight", lambda: self.client.workers().in_flight == count)


def binary(name: str) -> str:
    return str(Path(os.environ["QUORATE_BIN"]) / name)


def stop(program: Program) -> None:
    """Tells a program to stop, and checks that it does so without an error."""
    program.signal(signal.SIGTERM)
    assert program.ended() == 0, program.written
