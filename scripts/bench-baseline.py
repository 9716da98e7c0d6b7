#!/usr/bin/env python3
"""Measures the coordinator against the baseline, and prints Markdown.

The baseline is benches/baseline, the leanest program that asks three workers over NATS and answers once. Both ask the
same three workers through the same NATS server. `quorate load` measures one after the other, and swaps the order in
every round, so that other load on the machine affects both. It needs release builds and a nats-server, which
`make bench-baseline` provides. Everything runs on loopback, and is ended afterwards.
"""

import argparse
import http.server
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
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
WORKERS = 3
START_TIMEOUT_S = 15
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="rounds per number of connections (default 8)")
    parser.add_argument("--seconds", type=float, default=3, help="seconds per program and round (default 3)")
    parser.add_argument("--connections", type=int, nargs="+", default=[8, 64, 256], metavar="N",
                        help="connections that ask at once (default 8 64 256)")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FILE",
                        help="another build of the coordinator, measured in the same rounds")
    parser.add_argument("--traced", action="append", default=[], metavar="SHARE",
                        help="also the coordinator with --otlp, which records this share of the requests and sends the "
                             "spans to a collector that takes and forgets them")
    return parser.parse_args()


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


class Collector(http.server.ThreadingHTTPServer):
    """Accepts spans, and counts their bytes."""

    daemon_threads = True
    taken = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.server.taken += len(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


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

    def cpu_s(self, name):
        """The processor time a process has used, in user and kernel mode."""
        stat = pathlib.Path(f"/proc/{self.running[name].pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_PER_S


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


def start(processes, options, collector):
    """Starts everything, and returns the address of each coordinator by its name."""
    nats_port = free_port()
    nats = f"nats://127.0.0.1:{nats_port}"
    processes.start("nats-server", nats_server(), "--addr", "127.0.0.1", "--port", nats_port)
    processes.until("nats-server listens", lambda: listens(nats_port))
    builds = {"baseline": None, "quorate": RELEASE / "coordinator"}
    builds.update(other.split("=", 1) for other in options.other)
    traced = {f"traced {share}": ["--otlp", collector.url, "--otlp-sample", share] for share in options.traced}
    builds.update((name, RELEASE / "coordinator") for name in traced)
    urls = {}
    for name, build in builds.items():
        address = f"127.0.0.1:{free_port()}"
        urls[name] = f"http://{address}"
        if build is None:
            processes.start(name, RELEASE / "quorate-baseline", "coordinator", "--nats", nats, "--listen", address)
        else:
            processes.start(name, build, "--nats", nats, "--listen", address, "--rate-limit", 0, "--log", "warn",
                            *traced.get(name, []))
    for number in range(1, WORKERS + 1):
        processes.start(f"worker-{number}", RELEASE / "worker", "--nats", nats, "--id", f"worker-{number}",
                        "--delay-min-ms", 0, "--delay-max-ms", 0, "--failure-rate", 0, "--log", "warn")
    body = json.dumps({"query": "BTC/USD"}).encode()

    def answered_by_all(url):
        return len((get_json(f"{url}/request", body) or {}).get("worker_responses", [])) == WORKERS

    for name, url in urls.items():
        processes.until(f"{name} answers with {WORKERS} workers", lambda url=url: answered_by_all(url))
    return urls


def load(url, connections, seconds):
    """One measurement: the report of the load generator."""
    command = [RELEASE / "quorate", "load", "--json", "--url", url, "--connections", connections,
               "--duration", f"{round(seconds * 1000)}ms"]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=seconds + 30)
    except BaseException:
        process.kill()
        process.wait()
        raise
    report = json.loads(output)
    if process.returncode or report["errors"]:
        sys.exit(f"bench-baseline: {url} has answered with errors: {report['errors']}")
    return report


def measure(processes, urls, name, connections, seconds):
    before = {each: processes.cpu_s(each) for each in processes.running}
    report = load(urls[name], connections, seconds)
    used = {each: processes.cpu_s(each) - before[each] for each in before}
    per_1000 = 1000 * 1000 / report["ok"]
    return {
        "rate": report["requests_per_second"],
        "p50": report["latency_us"]["p50"],
        "p99": report["latency_us"]["p99"],
        "cpu": used[name] * per_1000,
        "nats": used["nats-server"] * per_1000,
        "workers": sum(cpu for each, cpu in used.items() if each.startswith("worker-")) * per_1000,
    }


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    row(*["---"] + ["---:"] * (len(cells) - 1))


def rounds(processes, urls, connections, options):
    """Prints a table of all rounds, and returns what was measured, by program."""
    for url in urls.values():
        load(url, connections, min(1, options.seconds))
    print(f"\n### {connections} connections\n")
    rest = [name for name in urls if name != "baseline"]
    head("round", *[f"{name}, req/s" for name in urls], *[f"{name} / baseline" for name in rest],
         *[f"{name}, CPU ms per 1000" for name in urls])
    found = {name: [] for name in urls}
    for number in range(1, options.rounds + 1):
        for name in list(urls)[:: 1 if number % 2 else -1]:
            found[name].append(measure(processes, urls, name, connections, options.seconds))
        last = {name: measured[-1] for name, measured in found.items()}
        row(number, *[f"{each['rate']:.0f}" for each in last.values()],
            *[f"{last[name]['rate'] / last['baseline']['rate']:.3f}" for name in rest],
            *[f"{each['cpu']:.0f}" for each in last.values()])
    return found


def summarise(results):
    def median(name, measured, key):
        return statistics.median(each[key] for each in measured[name])

    print("\n### Rates, against the baseline's of the same round\n")
    head("connections", "program", "median req/s", "ratio, median", "min", "max", "p50 ms", "p99 ms")
    for connections, measured in results.items():
        for name in measured:
            ratios = [a["rate"] / b["rate"] for a, b in zip(measured[name], measured["baseline"])]
            row(connections, name, f"{median(name, measured, 'rate'):.0f}", f"{statistics.median(ratios):.3f}",
                f"{min(ratios):.3f}", f"{max(ratios):.3f}", f"{median(name, measured, 'p50') / 1000:.2f}",
                f"{median(name, measured, 'p99') / 1000:.2f}")
    print("\n### Processor time in ms per 1000 requests, medians\n")
    head("connections", "program", "itself", "against the baseline", "nats-server", "three workers")
    for connections, measured in results.items():
        for name in measured:
            against = [a["cpu"] / b["cpu"] for a, b in zip(measured[name], measured["baseline"])]
            row(connections, name, f"{median(name, measured, 'cpu'):.0f}", f"{statistics.median(against):.2f}",
                f"{median(name, measured, 'nats'):.0f}", f"{median(name, measured, 'workers'):.0f}")


def main():
    options = arguments()
    # So that its processes are ended even if a signal ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{options.rounds} rounds of {options.seconds:g} s per program, {os.cpu_count()} processors")
    collector = Collector() if options.traced else None
    with Processes() as processes:
        urls = start(processes, options, collector)
        summarise({connections: rounds(processes, urls, connections, options) for connections in options.connections})
    if collector:
        print(f"\nThe collector has taken {collector.taken / 2**20:.1f} MiB of spans.")


if __name__ == "__main__":
    main()
