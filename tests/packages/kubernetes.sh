#!/usr/bin/env bash
# Renders deploy/kubernetes/example by kubectl and checks every object: `kubernetes.sh BINARY`. Needs no cluster.
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

kubectl kustomize "$here/../../deploy/kubernetes/example" >"$work/objects.yaml"
kubectl kustomize "$here/../../deploy/kubernetes/base" >"$work/base.yaml"
"$work/venv/bin/python" "$here/kubernetes.py" "$work/objects.yaml" "$work/base.yaml" "$work/node_modules" "$binary"
