"""What kopf watches for us, and nothing else of it: no handlers of its kind, no annotations, no finalizers."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf

from edworkers_operator.naming import CHILD_KINDS, POOL_LABEL, known_kinds
from edworkers_operator.view import Key, View

Manifest = dict[str, Any]


def registry_for(view: View, on_change: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Register what is watched: each change goes into the view, and its pool is told.

    Kinds that the cluster doesn't know can't be watched.
    """
    registry = kopf.OperatorRegistry()

    def take_in(saw: Callable[..., Key | None]) -> Callable[..., None]:
        def handler(event: Mapping[str, Any], **_: Any) -> None:
            key = saw(dict(event["object"]), gone=event["type"] == "DELETED")
            if key is not None:
                on_change(key)

        return handler

    kopf.on.login(registry=registry)(_log_in)
    kopf.on.event("edworkers.dev", "v1alpha1", "workerpools", registry=registry)(take_in(view.saw_pool))
    ours = {POOL_LABEL: kopf.PRESENT}
    for api_version, _, plural in known_kinds(view.capabilities):
        group, _, version = api_version.rpartition("/")
        kopf.on.event(group, version, plural, labels=ours, registry=registry)(take_in(view.saw_child))
    kopf.on.event("", "v1", "pods", labels=ours, registry=registry)(take_in(view.saw_pod))
    return registry


def _log_in(**known: Any) -> kopf.ConnectionInfo | None:
    """Log in as the pod's service account, or as KUBECONFIG says outside of a cluster; asked again for a new token."""
    return kopf.login_with_service_account(**known) or kopf.login_with_kubeconfig(**known)


def watch_settings() -> kopf.OperatorSettings:
    """Say how kopf is to watch."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # We look for new kinds ourselves, without rights on the definitions of all of them.
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 15
    settings.execution.max_workers = 4
    # Objects of others are none of our business, and would only cost memory.
    for _, _, plural in CHILD_KINDS:
        settings.watching.label_selectors[plural] = POOL_LABEL
    settings.watching.label_selectors["pods"] = POOL_LABEL
    return settings


async def watch(view: View, on_change: Callable[[Key], None], namespaces: Collection[str], identity: str) -> None:
    """Watch until cancelled; empty `namespaces` are the whole cluster."""
    # Without a name kopf would look for the user's, whom the image doesn't know.
    named: Any = identity
    await kopf.operator(
        identity=named,
        registry=registry_for(view, on_change),
        settings=watch_settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=list(namespaces),
    )
