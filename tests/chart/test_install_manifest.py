"""The manifest for those who have no Helm is the chart, and the API server takes it."""

import subprocess
import sys
from pathlib import Path

import yaml

TOP = Path(__file__).parents[2]
MANIFEST = TOP / "manifests" / "install.yaml"


def test_it_is_what_the_chart_renders() -> None:
    words = (sys.executable, str(TOP / "scripts" / "install_manifest.py"), "--check")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_holds_no_secret_and_nothing_of_helm() -> None:
    kinds = {document["kind"] for document in yaml.safe_load_all(MANIFEST.read_text()) if document}
    assert "Secret" not in kinds
    assert {"CustomResourceDefinition", "Deployment", "StatefulSet", "ClusterRole"} <= kinds


def test_the_api_server_takes_it() -> None:
    namespace = "edworkers"
    ignored = ("--ignore-not-found", "--wait=true")
    subprocess.run(("kubectl", "delete", "namespace", namespace, *ignored), check=True, capture_output=True)
    subprocess.run(("kubectl", "create", "namespace", namespace), check=True, capture_output=True)
    try:
        words = ("kubectl", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", str(MANIFEST))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
    finally:
        subprocess.run(("kubectl", "delete", "namespace", namespace, "--wait=false"), check=True, capture_output=True)
