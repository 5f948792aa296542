#!/usr/bin/env bash
# Renders deploy/kubernetes/example by kubectl and checks every object, also with PostgreSQL, changed as docs/install.md says:
# `kubernetes.sh BINARY`. Needs no cluster.
set -euo pipefail
binary=$(realpath "${1:?usage: kubernetes.sh BINARY}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's kubernetes-client has a kustomize that is too old; the machine of CI has kubectl from its vendor's packages.
# Exit code 77: the test did not run.
command -v kubectl >/dev/null || apt-get install -y -qq --no-install-recommends kubectl >/dev/null 2>&1 ||
    { echo "kubernetes: NOT RUN: kubectl cannot be installed" >&2; exit 77; }
python3 -m venv "$work/venv"
# Kubernetes's schemas.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==1.37.0"
# The schemas of the Prometheus Operator's own kinds, which are not Kubernetes's.
(cd "$work" && npm install --silent --no-audit --no-fund --ignore-scripts --no-save "@kubernetes-models/prometheus-operator@6.0.0")

cp -r "$here/../../deploy/kubernetes" "$work/copy"
kubectl kustomize "$work/copy/base" >"$work/base.yaml"
kubectl kustomize "$work/copy/example" >"$work/objects.yaml"
sed -i 's|^  - ../base$|  - ../postgres|; s|# literals: |literals: |; /literals: \[password=replace-me\]/d' "$work/copy/example/kustomization.yaml"
sed -i 's|^# \(\[journal\]\)|\1|; s|^# \(url = { file\)|\1|' "$work/copy/example/adjourn.toml"
kubectl kustomize "$work/copy/example" >"$work/postgres.yaml"
"$work/venv/bin/python" "$here/kubernetes.py" "$work/node_modules" "$binary" "$work/base.yaml" "$work/objects.yaml" "$work/postgres.yaml"
