#!/usr/bin/env python3
"""Plants bugs, one at a time, and reports how many seeds the simulation needs to find each, or which test finds it.

Works on a copy of the sources under target/, so that the sources themselves never change. Writes a Markdown table.
With arguments, plants only the bugs whose name contains one of them.
"""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "planted"
SEEDS = os.environ.get("SEEDS")
# The test profile is optimised where it matters, and rebuilds faster.
BUILD = ["cargo", "build", "--quiet", "--locked", "-p", "quorate-sim"]
# A test that never ends has found its bug, too.
TEST_SECONDS = 300


def sources() -> list[str]:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    return tracked.stdout.split("\n")[:-1]


def copy_sources() -> None:
    names = sources()
    for path in COPY.rglob("*.rs"):
        name = path.relative_to(COPY)
        if name.parts[0] != "target" and str(name) not in names:
            path.unlink()
    for name in names:
        source, target = ROOT / name, COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Unchanged files keep their time, so that they are not built again.
        if source.exists() and (not target.exists() or target.read_bytes() != source.read_bytes()):
            shutil.copyfile(source, target)


def planted(bug: dict) -> str:
    """The text of the bug's file with the bug in it."""
    text = (ROOT / bug["file"]).read_text()
    for find, replace in [(bug["find"], bug["replace"]), *bug.get("more", [])]:
        if text.count(find) != 1:
            raise SystemExit(f"{bug['name']}: not exactly once in {bug['file']}: {find}")
        text = text.replace(find, replace)
    return text


def find(bug: dict) -> tuple[str, str, str]:
    """The depth at which the planted bug was looked for, how many seeds or runs it took, and what found it."""
    if "test" in bug:
        return "test", *test(bug["test"])
    subprocess.run(BUILD, cwd=COPY, check=True)
    return bug["depth"], *sweep(bug["depth"], SEEDS or bug.get("seeds", "0..1000"))


def test(arguments: str) -> tuple[str, str]:
    """Runs the tests that these arguments of `cargo test` choose. A failure to build does not count as a find."""
    command = ["cargo", "test", "--locked", *shlex.split(arguments)]
    subprocess.run([*command[:2], "--no-run", "--quiet", *command[2:]], cwd=COPY, check=True)
    tests = subprocess.Popen(command, cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             start_new_session=True)
    try:
        stdout, stderr = tests.communicate(timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        # The tests that cargo has started, too.
        os.killpg(tests.pid, signal.SIGKILL)
        tests.communicate()
        return "1", "no end"
    if not re.search(r"^running [1-9]\d* tests?$", stdout, re.MULTILINE):
        raise SystemExit(f"no test is chosen by: {arguments}")
    if tests.returncode == 0:
        return "never", "none"
    if failed := re.search(r"^test (\S+).* FAILED$", stdout, re.MULTILINE):
        return "1", f"`{failed[1]}`"
    # A test that panics while it panics aborts, and cargo does not name it.
    if "SIGABRT" in stderr:
        return "1", "an abort"
    raise SystemExit(f"{arguments}: {stderr[-500:]}")


def sweep(depth: str, seeds: str) -> tuple[str, str]:
    """How many seeds it took, and which checker found it."""
    program = COPY / "target" / "debug" / "quorate-sim"
    command = [program, "sweep", "--seeds", seeds, "--depth", depth, "--jobs", "1"]
    command += ["--max-failures", "1", "--shrink-seconds", "0"]
    try:
        ran = subprocess.run(command, cwd=COPY, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return "never", "none"
    found = re.search(r"FAILED seed (\d+): ([a-z_]+)", ran.stdout)
    if not found:
        return "never", "none"
    first = int(seeds.split("..")[0])
    return str(int(found[1]) - first + 1), found[2]


def main() -> int:
    wanted = sys.argv[1:]
    bugs = tomllib.loads((ROOT / "sim" / "planted" / "bugs.toml").read_text())["bug"]
    bugs = [bug for bug in bugs if not wanted or any(word in bug["name"] for word in wanted)]
    texts = [planted(bug) for bug in bugs]
    COPY.mkdir(parents=True, exist_ok=True)
    copy_sources()
    missed = 0
    print("| bug | where | depth | seeds until caught | by |\n|---|---|---|---|---|")
    for bug, text in zip(bugs, texts, strict=True):
        path = COPY / bug["file"]
        sound = path.read_text()
        path.write_text(text)
        try:
            depth, seeds, checker = find(bug)
        except subprocess.CalledProcessError:
            # The sources with the bug do not compile: its replacement must be updated. It counts as missed.
            depth, seeds, checker = bug.get("depth", "test"), "does not build", "none"
        finally:
            path.write_text(sound)
        missed += checker == "none"
        print(f"| {bug['name']} | `{bug['file']}` | {depth} | {seeds} | {checker} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
