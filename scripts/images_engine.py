"""The engines with which scripts/images.py builds and runs images.

A program runs as the user of its image, on a read-only root, without capabilities and privileges to gain, in the network
of this machine. `names` are further names of this machine, by which services find each other.
"""

import atexit
import json
import os
import subprocess
import tempfile
from pathlib import Path

# The user and group are read from the image: a path and a command follow.
IN_ROOT = """
root=$1 user=$2; shift 2
mkdir -p "$root/proc" "$root/dev" "$root/etc"
cat /etc/hosts - >"$root/etc/hosts" <<<"$HOSTS"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
if touch "$root/written" 2>/dev/null; then echo "the root is not read-only" >&2; exit 125; fi
unset HOSTS
exec setpriv --no-new-privs chroot --userspec="$user" "$root" "$@"
"""


def call(*command, **settings):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **settings).stdout.strip()


class Process:
    """A container, or a process in its place, that runs until it is stopped."""

    def __init__(self, process, log, stop):
        self.process, self.log, self.end = process, log, stop

    def said(self):
        return Path(self.log.name).read_text()

    def stop(self):
        """Stops it, and returns its exit code."""
        self.end()
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Docker:
    """docker or podman."""

    def __init__(self, name):
        self.name = name
        self.count = 0

    def works(self):
        return subprocess.run([self.name, "info"], capture_output=True).returncode == 0

    def has_compose(self):
        return self.name == "docker" and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0

    def has(self, image):
        return subprocess.run([self.name, "image", "inspect", image], capture_output=True).returncode == 0

    def build(self, target, image, arguments):
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        # Only this format has health checks.
        form = ["--format", "docker"] if self.name == "podman" else []
        subprocess.run(
            [self.name, "build", *form, "--file", "deploy/Dockerfile", "--target", target, "--tag", image, *given, "."],
            check=True,
        )

    def inspect(self, image):
        return json.loads(call(self.name, "image", "inspect", image))[0]

    def size(self, image):
        return self.inspect(image)["Size"]

    def user(self, image):
        return self.inspect(image)["Config"]["User"]

    def health_check(self, image):
        config = self.inspect(image)
        return (config["Config"].get("Healthcheck") or config["Healthcheck"])["Test"][1:]

    def command(self, image, arguments, entrypoint, environment, names, *more):
        words = [self.name, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "host", *more]
        words += ["--security-opt", "no-new-privileges"]
        words += [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        words += [word for name in names for word in ("--add-host", f"{name}:127.0.0.1")]
        if entrypoint:
            words += ["--entrypoint", entrypoint[0]]
            arguments = [*entrypoint[1:], *arguments]
        return [*words, image, *arguments]

    def run(self, image, *arguments, entrypoint=None, environment={}, names=()):
        command = self.command(image, arguments, entrypoint, environment, names)
        return subprocess.run(command, capture_output=True, text=True)

    def start(self, image, *arguments, environment={}, names=()):
        self.count += 1
        name = f"quorate-images-{os.getpid()}-{self.count}"
        log = tempfile.NamedTemporaryFile()
        command = self.command(image, arguments, None, environment, names, "--name", name)
        process = subprocess.Popen(command, stdout=log, stderr=log)
        return Process(process, log, lambda: subprocess.run([self.name, "stop", name], capture_output=True))


class Buildah:
    """buildah, which builds without a daemon. Its images run in a mount namespace and a chroot, as root allows."""

    def __init__(self, name):
        self.name = name
        self.roots = {}
        # What works where no kernel feature is left to containers.
        for variable, value in [("BUILDAH_ISOLATION", "chroot"), ("STORAGE_DRIVER", "vfs")]:
            os.environ.setdefault(variable, value)

    def works(self):
        return os.getuid() == 0 and subprocess.run(["buildah", "info"], capture_output=True).returncode == 0

    def has_compose(self):
        return False

    def has(self, image):
        return subprocess.run(["buildah", "inspect", "--type", "image", image], capture_output=True).returncode == 0

    def build(self, target, image, arguments):
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        pull = "--pull-never" if arguments else "--pull"
        subprocess.run(
            ["buildah", "bud", "--format", "docker", "--layers", pull, "--file", "deploy/Dockerfile"]
            + ["--ignorefile", "deploy/Dockerfile.dockerignore", "--target", target, "--tag", image, *given, "."],
            check=True,
        )

    def config(self, image):
        return json.loads(call("buildah", "inspect", "--type", "image", image))["Docker"]["config"]

    def size(self, image):
        root = self.root(image)
        return int(call("du", "--summarize", "--bytes", root).split()[0])

    def user(self, image):
        return self.config(image)["User"]

    def health_check(self, image):
        return self.config(image)["Healthcheck"]["Test"][1:]

    def root(self, image):
        """The files of a container of the image, which is removed at the end."""
        if image not in self.roots:
            container = call("buildah", "from", "--pull-never", image)
            atexit.register(subprocess.run, ["buildah", "rm", container], stdout=subprocess.DEVNULL)
            self.roots[image] = call("buildah", "mount", container)
        return self.roots[image]

    def command(self, image, arguments, entrypoint):
        words = [*(entrypoint or self.config(image)["Entrypoint"]), *arguments]
        inside = ["bash", "-euc", IN_ROOT, "in-root", self.root(image), self.user(image), *words]
        return ["unshare", "--mount", "--propagation", "private", *inside]

    def variables(self, environment, names):
        hosts = "\n".join(f"127.0.0.1 {name}" for name in names)
        return {"PATH": os.environ["PATH"], "HOSTS": hosts, **environment}

    def run(self, image, *arguments, entrypoint=None, environment={}, names=()):
        command = self.command(image, arguments, entrypoint)
        return subprocess.run(command, env=self.variables(environment, names), capture_output=True, text=True)

    def start(self, image, *arguments, environment={}, names=()):
        log = tempfile.NamedTemporaryFile()
        command = self.command(image, arguments, None)
        process = subprocess.Popen(command, env=self.variables(environment, names), stdout=log, stderr=log)
        return Process(process, log, process.terminate)
