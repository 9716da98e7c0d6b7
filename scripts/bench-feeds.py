#!/usr/bin/env python3
"""Measures feeds: how fast the last report is served, and what a thousand feeds cost.

`GET /feeds/{name}` is measured against the leanest handler of axum that returns the same bytes, with wrk, one after the
other in every round. On a machine with several processors, wrk has the last of them and the programs the others. Then a coordinator drives a thousand feeds with a heartbeat of one second, stored in JetStream, and
the processor time that it takes is read from the system. It needs programs, a nats-server and wrk; `make bench-feeds`
builds the programs. Everything runs on loopback, and is ended afterwards.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="rounds (default 6)")
    parser.add_argument("--seconds", type=int, default=5, help="seconds per program and round (default 5)")
    parser.add_argument("--connections", type=int, default=64, help="connections (default 64)")
    parser.add_argument("--feeds", type=int, default=1000, help="feeds that one coordinator drives (default 1000)")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/dist", metavar="FOLDER",
                        help="where the programs are (default target/dist)")
    return parser.parse_args()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as it:
        return it.getsockname()[1]


def processors(is_wrk):
    """The processors of wrk, or those of the programs."""
    *others, last = sorted(os.sched_getaffinity(0))
    return [last] if is_wrk or not others else others


def start(command, folder, on=None):
    log = (folder / f"{pathlib.Path(command[0]).name}.log").open("ab")
    pin = on and (lambda: os.sched_setaffinity(0, on))
    return subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                            preexec_fn=pin)


def wait_for(url, condition=lambda body: True, within=60):
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                body = answer.read()
                if condition(body):
                    return body
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"bench-feeds: timed out waiting for {url}")
        time.sleep(0.1)


def wrk(url, options):
    """Requests per second, and the 50th and 99th percentile of the latency in milliseconds."""
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, processors(is_wrk=True))).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench-feeds: {said}")
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}

    def percentile(name):
        number, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)\n", said).groups()
        return float(number) * scale[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)), percentile(50), percentile(99)


def serve(options, folder, started):
    """Our route and the bare one, in turn."""
    feeds = folder / "feeds.toml"
    # So long that nothing changes meanwhile: what is measured is the route.
    feeds.write_text('[[feed]]\nname = "f"\nquery = "BTC/USD"\nheartbeat = "1h"\n')
    ours, bare = free_port(), free_port()
    started.append(start([options.programs / "quorate", "dev", "--listen", f"127.0.0.1:{ours}", "--feeds", feeds,
                          "--failure-rate", "0", "--read-rate-limit", "0", "--max-connections-per-peer", "2000"],
                         folder, processors(is_wrk=False)))
    page = folder / "page.json"
    page.write_bytes(wait_for(f"http://127.0.0.1:{ours}/feeds/f"))
    started.append(start([options.programs / "quorate-baseline", "page", page, "--listen", f"127.0.0.1:{bare}"],
                         folder, processors(is_wrk=False)))
    wait_for(f"http://127.0.0.1:{bare}/page")
    urls = {"ours": f"http://127.0.0.1:{ours}/feeds/f", "bare": f"http://127.0.0.1:{bare}/page"}
    # The demo of `quorate dev` has ended by then.
    time.sleep(8)
    found = {name: [] for name in urls}
    for number in range(options.rounds):
        for name in sorted(urls, reverse=number % 2 == 0):
            found[name].append(wrk(urls[name], options))
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
    print(f"| {options.connections} connections, {page.stat().st_size} bytes | requests/s | p50 ms | p99 ms |")
    print("|---|---|---|---|")
    for name, (rate, p50, p99) in medians.items():
        print(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |")
    print(f"\nratio of rates: {medians['ours'][0] / medians['bare'][0]:.2f}")


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drive(options, folder, started):
    """What many feeds cost one coordinator."""
    nats = os.environ.get("NATS_SERVER") or shutil.which("nats-server") or ROOT / "target/nats-server/bin/nats-server"
    port, listen = free_port(), free_port()
    url = f"nats://127.0.0.1:{port}"
    started.append(start([nats, "-js", "-a", "127.0.0.1", "-p", port, "-sd", folder / "js"], folder))
    feeds = folder / "many.toml"
    feeds.write_text("\n".join(f'[[feed]]\nname = "f{number}"\nquery = "q{number}"\nheartbeat = "1s"\n'
                               for number in range(options.feeds)))
    for number in range(3):
        started.append(start([options.programs / "worker", "--nats", url, "--id", f"w{number}", "--delay-min-ms", "1",
                              "--delay-max-ms", "5", "--failure-rate", "0", "--max-concurrent", "5000"], folder))
    coordinator = start([options.programs / "coordinator", "--nats", url, "--listen", f"127.0.0.1:{listen}", "--feeds",
                         feeds, "--store", "jetstream", "--read-rate-limit", "0"], folder)
    started.append(coordinator)
    api = f"http://127.0.0.1:{listen}/feeds"
    wait_for(api, lambda body: all(feed["round"] for feed in json.loads(body)["feeds"]), 120)
    time.sleep(5)

    def rounds():
        return sum(feed["round"] for feed in json.loads(wait_for(api))["feeds"])

    before, cpu, begun = rounds(), cpu_seconds(coordinator), time.monotonic()
    time.sleep(20)
    cpu, elapsed, reported = cpu_seconds(coordinator) - cpu, time.monotonic() - begun, rounds() - before
    stale = sum(feed["stale"] for feed in json.loads(wait_for(api))["feeds"])
    print(f"\n{options.feeds} feeds: {reported / elapsed:,.0f} reports/s, {cpu / elapsed:.2f} of one processor, "
          f"{1e6 * cpu / reported:.0f} us per report, {stale} stale")


def main():
    options = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-bench-feeds-"))
    started = []

    def give_up(number, _):
        sys.exit(f"bench-feeds: ended by signal {number}")

    signal.signal(signal.SIGTERM, give_up)
    try:
        serve(options, folder, started)
        for process in started:
            process.kill()
        drive(options, folder, started)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
