#!/usr/bin/env python3
"""Measures whole deployments of Quorate against the baseline, and prints Markdown.

The baseline is benches/baseline: the leanest coordinator and worker that ask and answer over NATS. Each pairing of
coordinator and workers has a NATS server of its own, and three workers. `quorate load` measures one pairing after the
other, and every round begins with another one, so that other load on the machine affects all of them. It needs
programs and a nats-server, which `make bench-baseline` provides. Everything runs on loopback, and is ended afterwards.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKERS = 3
START_TIMEOUT_S = 15
BARE = "all bare"
#: What a process is in its pairing.
ROLES = ["coordinator", "workers", "nats-server", "load"]


@dataclass
class Pairing:
    """A coordinator and workers: bare, packed, or of Quorate from this folder."""

    coordinator: str | pathlib.Path
    workers: str | pathlib.Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="rounds per number of connections (default 8)")
    parser.add_argument("--seconds", type=float, default=3, help="seconds per pairing and round (default 3)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64, 256], metavar="N",
                        help="connections that ask at once (default 1 8 64 256)")
    parser.add_argument("--only", nargs="+", default=[], metavar="PAIRING", help="besides all bare, only these pairings")
    parser.add_argument("--bare-threads", type=int, default=1, metavar="N",
                        help="threads of the bare coordinator (default 1, the leanest on few processors)")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/dist", metavar="FOLDER",
                        help="where the programs are (default target/dist)")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FOLDER",
                        help="another build of Quorate's coordinator and worker, as a pairing of its own")
    return parser.parse_args()


def pairings(options):
    ours = options.programs
    known = {
        BARE: Pairing("bare", "bare"),
        "all ours": Pairing(ours, ours),
        "our coordinator": Pairing(ours, "bare"),
        "our workers": Pairing("bare", ours),
        "bare, packed": Pairing("packed", "packed"),
    }
    for other in options.other:
        name, folder = other.split("=", 1)
        known[name] = Pairing(pathlib.Path(folder), pathlib.Path(folder))
    if unknown := [name for name in options.only if name not in known]:
        sys.exit(f"bench-baseline: there is no pairing {unknown[0]!r}; there are: {', '.join(known)}")
    return {name: pairing for name, pairing in known.items() if name == BARE or not options.only or name in options.only}


def nats_server():
    named = os.environ.get("NATS_SERVER")
    candidates = [named] if named else ["nats-server", ROOT / "target/nats-server/bin/nats-server", "/usr/sbin/nats-server"]
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    sys.exit("bench-baseline: there is no nats-server; get one with: make nats-server")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Processes:
    """The processes that the benchmark has started. All end with the block."""

    def __init__(self):
        self.running = {}
        self.logs = tempfile.TemporaryDirectory(prefix="bench-baseline-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.logs.cleanup()

    def start(self, name, *command):
        with open(pathlib.Path(self.logs.name) / name, "wb") as log:
            self.running[name] = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)

    def until(self, what, condition):
        """Waits for a condition while everything still runs."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not condition():
            for name, process in self.running.items():
                if process.poll() is not None:
                    log = (pathlib.Path(self.logs.name) / name).read_text(errors="replace")
                    sys.exit(f"bench-baseline: {name} has ended with {process.returncode}:\n{log[-2000:]}")
            if time.monotonic() > give_up_at:
                sys.exit(f"bench-baseline: {what} not within {START_TIMEOUT_S} s")
            time.sleep(0.05)

    def used(self, name):
        """The processor time in ns that a process has used, and how often its threads gave up their processor."""
        return used(self.running[name].pid)


def used(pid):
    time_ns = switches = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        time_ns += int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text().splitlines()
        switches += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return time_ns, switches


def get_json(url, body=None):
    """The JSON at an address, or None if there is none yet."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(processes, name, pairing, options):
    """Starts a pairing, and returns the address of its coordinator."""
    nats_port = free_port()
    nats = f"nats://127.0.0.1:{nats_port}"
    processes.start(f"{name}: nats-server", nats_server(), "--addr", "127.0.0.1", "--port", nats_port)
    processes.until("nats-server listens", lambda: listens(nats_port))

    def bare(kind, *flags):
        return [options.programs / "quorate-baseline", *flags, "--nats", nats, *["--packed"] * (kind == "packed")]

    for number in range(1, WORKERS + 1):
        identity = ["--id", f"worker-{number}"]
        if isinstance(pairing.workers, pathlib.Path):
            command = [pairing.workers / "worker", "--nats", nats, *identity, "--delay-min-ms", 0, "--delay-max-ms", 0,
                       "--failure-rate", 0, "--log", "warn"]
        else:
            command = bare(pairing.workers, "worker", *identity)
        processes.start(f"{name}: worker-{number}", *command)
    address = f"127.0.0.1:{free_port()}"
    if isinstance(pairing.coordinator, pathlib.Path):
        command = [pairing.coordinator / "coordinator", "--nats", nats, "--listen", address, "--rate-limit", 0,
                   "--log", "warn"]
    else:
        command = bare(pairing.coordinator, "coordinator", "--listen", address, "--threads", options.bare_threads)
    processes.start(f"{name}: coordinator", *command)
    url = f"http://{address}"
    body = json.dumps({"query": "BTC/USD"}).encode()

    def answered_by_all():
        return len((get_json(f"{url}/request", body) or {}).get("worker_responses", [])) == WORKERS

    processes.until(f"{name} answers with {WORKERS} workers", answered_by_all)
    return url


def load(programs, url, connections, seconds):
    """One measurement: the report of the load generator, and what the generator used."""
    command = [programs / "quorate", "load", "--json", "--url", url, "--connections", connections,
               "--duration", f"{round(seconds * 1000)}ms"]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    try:
        # Its report is its last act, so what it has used until then is nearly all.
        output = process.stdout.readline()
        spent = used(process.pid)
        process.wait(seconds + 30)
    except BaseException:
        process.kill()
        process.wait()
        raise
    report = json.loads(output)
    if process.returncode or report["errors"]:
        sys.exit(f"bench-baseline: {url} has answered with errors: {report['errors']}")
    return report, spent


def measure(processes, urls, name, connections, options):
    own = [each for each in processes.running if each.startswith(f"{name}: ")]
    before = {each: processes.used(each) for each in own}
    report, spent = load(options.programs, urls[name], connections, options.seconds)
    measured = {"rate": report["requests_per_second"], "p50": report["latency_ms"]["p50"],
                "p99": report["latency_ms"]["p99"]}
    for role in ROLES:
        of_role = [each for each in own if each.split(": ")[1].startswith(role.rstrip("s"))]
        parts = [[now - then for now, then in zip(processes.used(each), before[each])] for each in of_role]
        time_ns, switches = map(sum, zip(*(parts or [spent])))
        measured[role] = time_ns / 1000 / report["ok"], switches / report["ok"]
    return measured


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    row(*["---:" if at else "---" for at in range(len(cells))])


def rounds(processes, urls, connections, options):
    """What was measured in all rounds, by pairing."""
    for url in urls.values():
        load(options.programs, url, connections, min(1, options.seconds))
    found = {name: [] for name in urls}
    names = list(urls)
    for number in range(options.rounds):
        first = number % len(names)
        for name in (names[first:] + names[:first])[:: -1 if number // len(names) % 2 else 1]:
            found[name].append(measure(processes, urls, name, connections, options))
        last = ", ".join(f"{name} {measured[-1]['rate']:.0f}" for name, measured in found.items())
        print(f"round {number + 1} at {connections}: {last}", file=sys.stderr, flush=True)
    return found


def summarise(connections, found):
    def median(name, value):
        return statistics.median(value(measured) for measured in found[name])

    def ratios(name, key):
        each = [ours[key] / bare[key] for ours, bare in zip(found[name], found[BARE])]
        return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"

    print(f"\n### {connections} connection{'s' * (connections > 1)}\n")
    head("pairing", "req/s", "to all bare", "p50 ms", "to all bare", "p99 ms", *[f"{role}, CPU µs" for role in ROLES],
         *[f"{role}, switches" for role in ROLES])
    for name in found:
        row(name, f"{median(name, lambda it: it['rate']):.0f}", ratios(name, "rate"),
            f"{median(name, lambda it: it['p50']):.2f}", ratios(name, "p50"),
            f"{median(name, lambda it: it['p99']):.2f}",
            *[f"{median(name, lambda it, role=role: it[role][0]):.1f}" for role in ROLES],
            *[f"{median(name, lambda it, role=role: it[role][1]):.2f}" for role in ROLES])


def main():
    options = arguments()
    # So that its processes are ended even if a signal ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{options.rounds} rounds of {options.seconds:g} s per pairing, {os.cpu_count()} processors. CPU and context "
          "switches are per request; medians, with the lowest and the highest ratio of a round.")
    with Processes() as processes:
        urls = {name: start(processes, name, pairing, options) for name, pairing in pairings(options).items()}
        for connections in options.connections:
            summarise(connections, rounds(processes, urls, connections, options))


if __name__ == "__main__":
    main()
