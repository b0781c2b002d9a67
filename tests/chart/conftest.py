"""What tests of the chart share: its objects for each way to install it, and a namespace that wants restricted pods."""

import secrets
from collections.abc import Generator
from functools import cache

import pytest
from tests.chart.helm import CHART, Manifest, kubectl, template
from tests.chart.values_to_try import CASES

_rendered = cache(lambda case: template(CASES[case]))


@pytest.fixture(params=CASES)
def objects(request: pytest.FixtureRequest) -> list[Manifest]:
    """All objects, once for each case."""
    found: list[Manifest] = _rendered(request.param)
    return found


@pytest.fixture(scope="session")
def restricted_namespace() -> Generator[str]:
    """A namespace in which the API server refuses, and warns of, pods that aren't restricted; with the CRD."""
    name = f"chart-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    labels = [f"pod-security.kubernetes.io/{verb}=restricted" for verb in ("enforce", "warn")]
    kubectl("label", "namespace", name, *labels)
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", str(CHART / "crds"))
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
