#!/usr/bin/env python3
"""Builds every image of deploy/Dockerfile, runs each, and then brings up what deploy/compose.yaml says.

The engine is the first of docker, podman and buildah that works here, or the one that ENGINE names. BUILD_IMAGE and
RUNTIME_IMAGE replace the base images; with STAND_IN=1 they are those of scripts/stand-in-images.sh, which makes them if
they are missing. Every program runs as the user of its image, with a read-only root and without capabilities:
`--version`, the demo, and the health check of the coordinator's image against a coordinator.

With docker and its compose plugin, compose.yaml is brought up as it is. Otherwise its own services are run with their
commands and variables, beside the NATS server of the tests; the other images are reported as not run.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from images_engine import Buildah, Docker

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "deploy/compose.yaml"
TARGETS = ["coordinator", "worker", "quorate"]
STAND_INS = {"BUILD_IMAGE": "localhost/quorate-build", "RUNTIME_IMAGE": "localhost/quorate-runtime"}
VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
PATIENCE_SECONDS = 60


def image(target):
    return f"quorate/{target}:{VERSION}"


def choose():
    """The engine to use."""
    wanted = os.environ.get("ENGINE")
    for name, engine in [("docker", Docker), ("podman", Docker), ("buildah", Buildah)]:
        if wanted in (None, name) and shutil.which(name) and (found := engine(name)).works():
            return found
    sys.exit(f"images: {wanted or 'docker, podman and buildah'}: not installed, or not usable by this user")


def bases(engine):
    """The base images that replace those of the Dockerfile."""
    if os.environ.get("STAND_IN") != "1":
        return {name: os.environ[name] for name in STAND_INS if name in os.environ}
    if not all(engine.has(name) for name in STAND_INS.values()):
        subprocess.run([ROOT / "scripts/stand-in-images.sh"], check=True)
    return STAND_INS


def until(what, is_so):
    """Waits until a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"images: timed out waiting until {what}")
        time.sleep(0.1)


def succeeds(engine, name, *arguments, **settings):
    return engine.run(name, *arguments, **settings).returncode == 0


def output(engine, name, *arguments, **settings):
    """What a program writes, which must succeed."""
    ended = engine.run(name, *arguments, **settings)
    if ended.returncode != 0:
        sys.exit(f"images: {name} {' '.join(arguments)}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def run_each(engine):
    """Runs what every image is for."""
    for target in TARGETS:
        said = output(engine, image(target), "--version").strip()
        assert said == f"{target} {VERSION}", said
        assert engine.user(image(target)) == "65532:65532", engine.user(image(target))
    said = output(engine, image("quorate"), "demo")
    assert said.count("(average, ") == 5, said
    with engine.start(image("coordinator"), environment={"QUORATE_LISTEN": "127.0.0.1:18080"}):
        check = engine.health_check(image("coordinator"))
        at = {"QUORATE_URL": "http://127.0.0.1:18080"}
        until("the coordinator is healthy", lambda: succeeds(engine, image("coordinator"), entrypoint=check, environment=at))
        assert not succeeds(engine, image("coordinator"), entrypoint=check, environment={"QUORATE_URL": "http://127.0.0.1:1"})
    with engine.start(image("worker"), environment={"QUORATE_ID": "worker-1"}) as worker:
        until("the worker says that it has started", lambda: "the worker starts" in worker.said())
    print("images: every image runs as 65532:65532 on a read-only root: --version, the demo, the health check")


def compose_by_hand(engine):
    """Runs the services of compose.yaml that have our images, with NATS as a process, until its demo has ended."""
    folder = ROOT / "target/images-python"
    install = f". scripts/pip.sh && with_pip {folder} PyYAML==6.0.4"
    subprocess.run(["bash", "-euc", install], cwd=ROOT, check=True)
    sys.path.insert(0, str(folder))
    import yaml

    services = yaml.safe_load(COMPOSE.read_text())["services"]
    ours = {name: body for name, body in services.items() if "build" in body}
    names = list(services)
    nats = shutil.which("nats-server") or str(ROOT / "target/nats-server/bin/nats-server")
    command = [nats, "--addr", "127.0.0.1", *services["nats"]["entrypoint"][1:]]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = []
    try:
        for name, body in ours.items():
            if "profiles" not in body:
                settings = {"environment": body["environment"], "names": names}
                running.append((name, engine.start(body["image"], *body.get("command", []), **settings)))
        check = engine.health_check(image("coordinator"))
        ready = lambda: succeeds(engine, image("coordinator"), entrypoint=[*check, "--ready"])
        until("the coordinator is ready", ready)
        demo = ours["demo"]
        said = output(engine, demo["image"], *demo["command"], environment=demo["environment"], names=names)
        assert said.count("(average, ") == 5, said
        codes = {name: container.stop() for name, container in running}
        running.clear()
        assert set(codes.values()) == {0}, codes
    finally:
        for _, container in running:
            container.stop()
        server.send_signal(signal.SIGTERM)
        server.wait()
    others = [name for name in services if name not in ours]
    print(f"images: compose.yaml: {', '.join(ours)}: ran; NATS as a process; images not run: {', '.join(others)}")


def compose(engine):
    if not engine.has_compose():
        return compose_by_hand(engine)
    call = ["docker", "compose", "--file", str(COMPOSE)]
    try:
        subprocess.run([*call, "up", "--no-build", "--wait", "--wait-timeout", "120"], check=True)
        subprocess.run([*call, "run", "--rm", "--no-TTY", "demo"], check=True)
    finally:
        subprocess.run([*call, "down", "--volumes"], check=True)
    print("images: compose.yaml: all services ran")


def main():
    os.chdir(ROOT)
    engine = choose()
    started = time.monotonic()
    arguments = bases(engine)
    for target in TARGETS:
        engine.build(target, image(target), arguments)
    print(f"images: built with {engine.name} in {time.monotonic() - started:.0f} s")
    for target in TARGETS:
        print(f"images: {image(target)}: {engine.size(image(target)) / 1e6:.1f} MB")
    run_each(engine)
    compose(engine)


if __name__ == "__main__":
    main()
