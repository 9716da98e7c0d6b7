#!/usr/bin/env python3
"""Does what a newcomer does, from a fresh clone to a Python script that has a price, and says how long each step took.

The commands are those of the section `Run it over NATS` of the README, in its order, with nothing left out but waiting
for terminals to be opened. The script is the first one of clients/python/README.md. It needs what that section needs,
and the ports 4222, 8080 and 8090. It fails if the price comes later than three minutes after the end of the build. With
the argument PROGRAMS, a folder, it takes the programs from there instead of building them, since the build is not what
is timed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTION = "Run it over NATS"
# How long after the build the price may come.
ALLOWED_SECONDS = 180


def commands(readme):
    """The shell commands of the section, up to those of Docker."""
    section = re.search(rf"^## {SECTION}\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def main():
    started = time.monotonic()
    step = lambda what: print(f"{time.monotonic() - started:7.1f} s  {what}", flush=True)
    running = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "quorate"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        step("cloned")
        lines = commands((clone / "README.md").read_text())
        build = next(line for line in lines if line.split()[0] == "cargo")
        if len(sys.argv) > 1:
            shutil.copytree(sys.argv[1], clone / "target/release")
            step(f"took the programs from {sys.argv[1]} in place of: {build}")
        else:
            subprocess.run(build, shell=True, cwd=clone, check=True)
            step(f"built: {build}")
        built = time.monotonic()
        # It prints the path of the server that it has installed.
        said = subprocess.run(["make", "nats-server"], cwd=clone, check=True, capture_output=True, text=True).stdout
        server = re.search(r"^nats-server: (\S+) ", said, re.MULTILINE)[1]
        step("make nats-server")
        try:
            for line in lines:
                if line == build:
                    continue
                if line == "nats-server":
                    line = server
                if " ask " in line:
                    asked = until_it_succeeds(line, clone)
                    print(asked, end="")
                else:
                    log = open(Path(folder) / f"log-{len(running)}", "w")
                    running.append(subprocess.Popen(line.split(), cwd=clone, stdout=log, stderr=log))
                step(line)
            environment = Path(folder) / "venv"
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            python = environment / "bin/python"
            client = clone / "clients/python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", client], check=True)
            step("pip install clients/python, in a virtual environment")
            text = (client / "README.md").read_text()
            script = Path(folder) / "price.py"
            script.write_text(re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1])
            run = subprocess.run([python, script], check=True, capture_output=True, text=True)
            took = time.monotonic() - built
            step(f"price.py: {run.stdout.strip()}")
            print(f"first-price: a price in a Python script {took:.1f} s after the build")
            if any(process.poll() is not None for process in running):
                sys.exit("first-price: a program has ended by itself")
            if took > ALLOWED_SECONDS:
                sys.exit(f"first-price: that is later than {ALLOWED_SECONDS} s")
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait()


def until_it_succeeds(line, folder):
    """What a command writes, once it succeeds: the programs before it take a moment to find each other."""
    deadline = time.monotonic() + ALLOWED_SECONDS
    while True:
        ended = subprocess.run(line.split(), cwd=folder, capture_output=True, text=True)
        if ended.returncode == 0 and "All workers responded" in ended.stdout:
            return ended.stdout
        if time.monotonic() > deadline:
            sys.exit(f"first-price: {line}: {ended.stdout}{ended.stderr}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
