"""Writes `manifests/install.yaml`, the chart as kubectl applies it, by helm; with `--check` it only compares."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
MANIFEST = TOP / "manifests" / "install.yaml"
NAMESPACE = "edworkers"

_OF_HELM = ("# Source:", "helm.sh/", "app.kubernetes.io/managed-by: Helm")

_HEAD = f"""\
# edworkers without Helm: CRD, operator, keeper, and a Redis to try it out with, for the whole cluster.
# Made of the chart by `make install-manifest`; don't edit it. docs/install.md tells more.
#
#   kubectl create namespace {NAMESPACE}
#   kubectl -n {NAMESPACE} create secret generic edworkers-redis --from-literal=password="$(openssl rand -hex 16)"
#   kubectl apply --server-side -f manifests/install.yaml
#   kubectl -n {NAMESPACE} apply -f manifests/examples/webhook.yaml
"""


def render() -> str:
    """Render the chart. Raises OSError where there is no helm, CalledProcessError where it refuses."""
    words = ("helm", "template", "edworkers", str(TOP / "charts"), "--namespace", NAMESPACE, "--include-crds")
    values = ("--values", str(TOP / "manifests" / "install-values.yaml"), "--no-hooks", "--skip-tests")
    done = subprocess.run((*words, *values), capture_output=True, text=True, check=True)
    kept = [line.rstrip() for line in done.stdout.splitlines() if not line.strip().startswith(_OF_HELM)]
    return _HEAD + "\n".join(kept) + "\n"


def main() -> int:
    """Write or check; returns the exit code."""
    try:
        text = render()
    except FileNotFoundError:
        print("helm is not on the PATH; `make cluster` builds one into .cluster/bin", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return 1
    if "--check" in sys.argv[1:]:
        same = MANIFEST.exists() and MANIFEST.read_text(encoding="utf-8") == text
        print("" if same else f"{MANIFEST.name} is out of date: run make install-manifest", end="" if same else "\n")
        return int(not same)
    MANIFEST.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
