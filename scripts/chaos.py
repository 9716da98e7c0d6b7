#!/usr/bin/env python3
"""Kills, pauses and restarts every process of a replicated deployment in turn, and checks what it promises.

Three NATS servers with JetStream, three coordinators and five workers keep twenty feeds fresh, each stored three times.
One process after the other is killed, or paused and resumed, until the time is up. Then everything is healed, and the
history of each feed is read from JetStream itself and from every coordinator:

* no round has two records, and rounds count up by one from 1;
* each record names the bytes of the one before it;
* every coordinator tells the same history;
* no two reports are farther apart than the heartbeat and 20 s, and every feed is fresh again.

Meanwhile callers leave requests with every coordinator that runs, under ids of their own, and submit them again if the
coordinator dies before it has accepted them. In the end each has one outcome, the same at every coordinator, and one
entry in JetStream.

It needs programs and a nats-server, which `make chaos` provides. Everything runs on loopback, and is ended afterwards.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30
#: How much later than its heartbeat a report may come.
SLACK_S = 20
#: How long everything may take to be well after the last fault.
HEAL_S = 90
#: How many callers there are.
CALLERS = 4
#: How long the start, the healing and the checks may take together.
GIVE_UP_AFTER_S = 240


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="how long there are faults (default 600)")
    parser.add_argument("--feeds", type=int, default=20, help="feeds (default 20)")
    parser.add_argument("--heartbeat", type=float, default=5, metavar="S", help="heartbeat of each feed (default 5)")
    parser.add_argument("--coordinators", type=int, default=3, help="coordinators (default 3)")
    parser.add_argument("--servers", type=int, default=3, help="NATS servers (default 3)")
    parser.add_argument("--workers", type=int, default=5, help="workers (default 5)")
    parser.add_argument("--requests", type=int, default=1000, help="durable requests (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the order of faults (default 1)")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release", metavar="FOLDER",
                        help="where the programs are (default target/release)")
    parser.add_argument("--keep-logs", type=pathlib.Path, metavar="FOLDER", help="keep what the processes wrote")
    return parser.parse_args()


def nats_server():
    named = os.environ.get("NATS_SERVER") or shutil.which("nats-server")
    return named or str(ROOT / "target/nats-server/bin/nats-server")


def free_ports(count):
    """Ports that are free now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


class Process:
    """A program that can be killed, paused and started again with the same arguments."""

    def __init__(self, name, command, folder):
        self.name, self.command, self.log = name, command, folder / f"{name}.log"
        self.child = None
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)


class Nats:
    """One connection to NATS, for questions to JetStream. As much of the protocol as that needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = self.socket.makefile("rb")
        self.reader.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB _INBOX.chaos 1\r\n')

    def ask(self, subject, body):
        body = json.dumps(body).encode()
        self.socket.sendall(b"PUB %s _INBOX.chaos %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        while True:
            words = self.reader.readline().split()
            if not words:
                raise OSError("the NATS server has closed the connection")
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                answer = self.reader.read(int(words[-1]))
                self.reader.readline()
                if words[0] == b"MSG":
                    return json.loads(answer)
                raise OSError("nobody answers " + subject)


def messages(port, stream, pattern):
    """All messages of a stream with these subjects, in order: sequence, subject, body."""
    import base64

    nats = Nats(port)
    found, sequence = [], 1
    while True:
        answer = nats.ask(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": sequence, "next_by_subj": pattern})
        if "error" in answer:
            if answer["error"].get("err_code") == 10037:
                return found
            raise OSError(f"{stream}: {answer['error']}")
        message = answer["message"]
        found.append((message["seq"], message["subject"], base64.b64decode(message.get("data", ""))))
        sequence = message["seq"] + 1


def http(url, body=None, timeout=10, headers=None):
    """The status and the JSON of an answer."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Deployment:
    """All processes."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        names = [f"feed-{number}" for number in range(1, options.feeds + 1)]
        self.feeds = names
        feeds = folder / "feeds.toml"
        feeds.write_text("\n".join(
            f'[[feed]]\nname = "{name}"\nquery = "{name}"\nheartbeat = "{options.heartbeat}s"\ndeviation = "0.02"\n'
            f'timeout_ms = 1000\n' for name in names))
        count = options.servers
        ports = free_ports(2 * count + options.coordinators)
        self.clients, routes, listen = ports[:count], ports[count:2 * count], ports[2 * count:]
        urls = ",".join(f"nats://127.0.0.1:{port}" for port in self.clients)
        route_urls = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
        clustered = ["--cluster_name", "chaos", "--routes", route_urls] if count > 1 else []
        self.servers = [
            Process(f"nats-{number}", [
                nats_server(), "-js", "-a", "127.0.0.1", "-p", str(client), "-n", f"nats-{number}",
                "-sd", str(folder / f"nats-{number}"), *clustered,
                *(["--cluster", f"nats://127.0.0.1:{route}"] if clustered else []),
            ], folder)
            for number, (client, route) in enumerate(zip(self.clients, routes), 1)
        ]
        self.workers = [
            Process(f"worker-{number}", [
                str(options.programs / "worker"), "--nats", urls, "--id", f"w{number}", "--announce-ms", "1000",
                "--delay-min-ms", "5", "--delay-max-ms", "50", "--failure-rate", "0.05",
            ], folder)
            for number in range(1, options.workers + 1)
        ]
        self.urls = [f"http://127.0.0.1:{port}" for port in listen]
        self.coordinators = [
            Process(f"coordinator-{number}", [
                str(options.programs / "coordinator"), "--nats", urls, "--listen", f"127.0.0.1:{port}",
                "--feeds", str(feeds), "--store", "jetstream", "--store-replicas", str(count),
                "--rate-limit", "0", "--read-rate-limit", "0", "--timeout-ms", "1000",
            ], folder)
            for number, port in enumerate(listen, 1)
        ]
        self.wait_for("every feed to be fresh everywhere", START_TIMEOUT_S + 30, self.is_well)

    def all(self):
        return self.servers + self.workers + self.coordinators

    def wait_for(self, what, within, condition):
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                sys.exit(f"chaos: timed out after {within:.0f} s waiting for {what}")
            time.sleep(0.2)

    def is_well(self):
        """Whether every coordinator shows every feed, none stale."""
        try:
            shown = [http(f"{url}/feeds", timeout=2)[1]["feeds"] for url in self.urls]
        except (OSError, ValueError, KeyError):
            return False
        return all(len(feeds) == len(self.feeds) and not any(feed["stale"] for feed in feeds) for feeds in shown)

    def end(self):
        for process in self.all():
            if process.child.poll() is None:
                process.resume()
                process.kill()


class Caller(threading.Thread):
    """Leaves requests, one after the other, until all are accepted."""

    def __init__(self, deployment, numbers, every):
        super().__init__(daemon=True)
        self.deployment, self.numbers, self.every = deployment, numbers, every
        self.accepted, self.retries = [], 0

    def run(self):
        chance = random.Random(self.numbers.start)
        for number in self.numbers:
            request, begun = f"chaos {number}", time.monotonic()
            while True:
                url = chance.choice(self.deployment.urls)
                try:
                    status, _ = http(f"{url}/requests", {"query": "feed-1", "timeout_ms": 1000}, 5,
                                     {"Idempotency-Key": request})
                    if status == 202:
                        break
                except (OSError, ValueError):
                    pass
                self.retries += 1
                time.sleep(0.05)
            self.accepted.append(request)
            time.sleep(max(0.0, self.every - (time.monotonic() - begun)))


def in_turn(deployment, until):
    """Kills and pauses every process in turn. Says what it does."""
    chance = random.Random(deployment.options.seed)
    pause_s = 20
    faults = [(process, kind) for process in deployment.all() for kind in ("kill", "pause")]
    done = 0
    while time.monotonic() < until:
        chance.shuffle(faults)
        # In a short run, what matters most comes first.
        faults.sort(key=lambda fault: (done == 0 and fault[0] in deployment.workers))
        for process, kind in faults:
            if time.monotonic() >= until:
                break
            print(f"{kind} {process.name}", flush=True)
            done += 1
            if kind == "kill":
                process.kill()
                time.sleep(chance.uniform(0.5, 6))
                process.start()
            else:
                process.pause()
                time.sleep(chance.uniform(2, pause_s))
                process.resume()
            time.sleep(chance.uniform(2, 8))
    return done


def check_feeds(deployment, faults):
    """What must hold of the history of every feed. Returns the worst delay of a report."""
    stored = messages(deployment.clients[0], "oracle-feeds", "oracle.feeds.*")
    worst, rounds, reports = 0.0, 0, 0
    for name in faults:
        of_feed = [(sequence, body) for sequence, subject, body in stored if subject == f"oracle.feeds.{name}"]
        records = [json.loads(body) for _, body in of_feed]
        numbers = [record["round"] for record in records]
        require(numbers == list(range(1, len(numbers) + 1)), f"{name}: the rounds in JetStream are {numbers}")
        for (sequence, body), (record, before) in zip(of_feed, zip(records[1:], records)):
            link = {"sequence": sequence, "sha256": hashlib.sha256(body).hexdigest()}
            require(record["previous"] == link, f"{name}: round {record['round']} does not continue {before['round']}")
        times = [seconds(record["answered_at"]) for record in records if record["value"] is not None]
        delays = [later - earlier - deployment.options.heartbeat for earlier, later in zip(times, times[1:])]
        worst = max([worst, *delays])
        rounds, reports = rounds + len(numbers), reports + len(times)
        for url in deployment.urls:
            told = history(url, name)[:len(records)]
            require([json.dumps(it, sort_keys=True) for it in told]
                    == [json.dumps(it, sort_keys=True) for it in records], f"{url} tells another history of {name}")
    require(worst <= SLACK_S, f"a report was {worst:.1f} s late")
    return worst, rounds, reports


def history(url, name):
    """The history of a feed, page by page."""
    records, page = [], {"next": 0}
    while page["next"] is not None:
        status, page = http(f"{url}/feeds/{name}/history?limit=1000&cursor={page['next']}", timeout=30)
        require(status == 200, f"{url}: {status} {page}")
        records += page["reports"]
    return records


def check_requests(deployment, accepted):
    """What must hold of durable requests."""
    outcomes = {}
    for request in accepted:
        path = "/requests/" + request.replace(" ", "%20") + "?wait_ms=30000"
        answers = [http(url + path, timeout=40) for url in deployment.urls]
        require(all(status == 200 for status, _ in answers), f"{request}: {answers}")
        texts = {json.dumps(body, sort_keys=True) for _, body in answers}
        require(len(texts) == 1, f"{request} has several outcomes: {texts}")
        outcomes[request] = texts.pop()
    stored = messages(deployment.clients[0], "oracle-requests", "oracle.requests.done.*")
    subjects = [subject for _, subject, _ in stored]
    twice = [it for it in stored if subjects.count(it[1]) > 1]
    require(not twice, f"outcomes are stored twice: {twice}")
    require(len(set(subjects)) == len(accepted), f"{len(set(subjects))} outcomes of {len(accepted)} requests")
    return len(outcomes)


def require(holds, what):
    if not holds:
        sys.exit(f"chaos: {what}")


def main():
    options = arguments()

    def give_up(number, _):
        sys.exit(f"chaos: ended by signal {number}")

    # Whatever ends this program, it ends all others first.
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, give_up)
    signal.alarm(int(options.seconds + GIVE_UP_AFTER_S))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-chaos-"))
    deployment = None
    try:
        deployment = Deployment(options, folder)
        # One caller waits for seconds whenever it asks a coordinator that is paused.
        every = options.seconds / max(options.requests, 1) * CALLERS * 0.9
        callers = [Caller(deployment, range(first, options.requests, CALLERS), every) for first in range(CALLERS)]
        for caller in callers:
            caller.start()
        until = time.monotonic() + options.seconds
        faults = in_turn(deployment, until)
        until = time.monotonic() + HEAL_S
        for caller in callers:
            caller.join(max(0.0, until - time.monotonic()))
        accepted = [request for caller in callers for request in caller.accepted]
        require(not any(caller.is_alive() for caller in callers), f"only {len(accepted)} requests were accepted")
        deployment.wait_for("every feed to be fresh again", HEAL_S, deployment.is_well)
        stored = check_requests(deployment, accepted)
        worst, rounds, reports = check_feeds(deployment, deployment.feeds)
        print(f"{faults} faults in {options.seconds:.0f} s; {len(deployment.feeds)} feeds, {rounds} records, "
              f"{reports} reports, the latest {worst:.1f} s after its heartbeat; {stored} requests, {stored} outcomes, "
              f"{sum(caller.retries for caller in callers)} submissions repeated")
    finally:
        if deployment:
            deployment.end()
        if options.keep_logs:
            shutil.copytree(folder, options.keep_logs, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("nats-?"))
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
