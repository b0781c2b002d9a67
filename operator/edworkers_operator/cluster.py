"""The Kubernetes API in a few verbs on plain dicts."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config

from edworkers_operator.naming import CHILD_KINDS, FIELD_MANAGER

Manifest = dict[str, Any]

TIMEOUT_SECONDS = 15
_UNTYPED = "failed to create typed patch object"
_OTHER_PLURALS = {
    "WorkerPool": "workerpools",
    "Pod": "pods",
    "Event": "events",
    "ConfigMap": "configmaps",
    "Lease": "leases",
    "CustomResourceDefinition": "customresourcedefinitions",
}


class ClusterError(Exception):
    """The API server refused something, or can't be reached; `status` is 0 then."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """One API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._plurals = {**_OTHER_PLURALS, **{kind.kind: kind.plural for kind in CHILD_KINDS}}

    async def kinds(self, api_version: str) -> frozenset[str]:
        """Give the kinds, by their plurals, that the API server knows of a group and version. Raises ClusterError."""
        found = await self._call("GET", f"/apis/{api_version}", missing_is_none=True) or {}
        return frozenset(resource["name"] for resource in found.get("resources", ()))

    async def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Manifest | None:
        """Read an object; None where there is none. Raises ClusterError."""
        return await self._call("GET", self._path(api_version, kind, namespace, name), missing_is_none=True)

    async def list(self, api_version: str, kind: str, namespace: str | None, selector: str = "") -> list[Manifest]:
        """List objects of a namespace, or of all where it is None. Raises ClusterError."""
        query = {"labelSelector": selector} if selector else {}
        found = await self._call("GET", self._path(api_version, kind, namespace, None, query), missing_is_none=True)
        # Members of a list come without what they are.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in (found or {}).get("items", ())]

    async def apply(self, manifest: Manifest, manager: str = FIELD_MANAGER, subresource: str = "") -> Manifest:
        """Apply an object server-side, taking fields over from whoever owns them. Raises ClusterError."""
        metadata = manifest["metadata"]
        path = self._path(
            manifest["apiVersion"],
            manifest["kind"],
            metadata.get("namespace"),
            metadata["name"] + (f"/{subresource}" if subresource else ""),
            {"fieldManager": manager, "force": "true"},
        )
        return await self._call("PATCH", path, manifest, "application/apply-patch+yaml") or {}

    async def patch(self, found: Manifest, change: Manifest) -> None:
        """Change parts of an object by a merge patch; nothing happens where it is gone. Raises ClusterError."""
        metadata = found["metadata"]
        path = self._path(
            found["apiVersion"],
            found["kind"],
            metadata.get("namespace"),
            metadata["name"],
            {"fieldManager": FIELD_MANAGER},
        )
        await self._call("PATCH", path, change, "application/merge-patch+json", missing_is_none=True)

    async def create(self, manifest: Manifest) -> None:
        """Create an object. Raises ClusterError."""
        path = self._path(manifest["apiVersion"], manifest["kind"], manifest["metadata"].get("namespace"), None)
        await self._call("POST", path, manifest)

    async def replace(self, manifest: Manifest) -> None:
        """Write an object over the version that its metadata names. Raises ClusterError, 409 for another version."""
        metadata = manifest["metadata"]
        path = self._path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"), metadata["name"])
        await self._call("PUT", path, manifest)

    async def delete(self, found: Manifest) -> None:
        """Delete an object, and in the background what belongs to it. Raises ClusterError."""
        metadata = found["metadata"]
        path = self._path(found["apiVersion"], found["kind"], metadata.get("namespace"), metadata["name"])
        # Of that very object: another by the same name may have been made since it was seen.
        options = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        await self._call("DELETE", path, options, missing_is_none=True)

    def _path(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        name: str | None,
        query: Mapping[str, str] | None = None,
    ) -> str:
        parts = [f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"]
        parts += [f"namespaces/{namespace}"] if namespace else []
        parts.append(self._plurals[kind])
        parts += [quote(name, safe="/")] if name else []
        return "/".join(parts) + (f"?{urlencode(query)}" if query else "")

    async def _call(
        self,
        method: str,
        path: str,
        body: Manifest | None = None,
        content_type: str = "application/json",
        *,
        missing_is_none: bool = False,
    ) -> Manifest | None:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            method, url, headers, sent, _ = await self._api.param_serialize(
                method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = await self._api.call_api(method, url, headers, sent, _request_timeout=TIMEOUT_SECONDS)
            response: aiohttp.ClientResponse = answer.response  # pyright: ignore[reportUnknownVariableType]
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(0, f"the API server can't be reached: {error or type(error).__name__}") from error
        if response.status == 404 and missing_is_none:
            return None
        if response.status >= 400:
            message = _message(content) or f"{method} {path}: {response.status}"
            # The API server calls it an error of its own where an object has a field that its kind doesn't know.
            raise ClusterError(422 if _UNTYPED in message else response.status, message)
        found: Manifest = json.loads(content)
        return found


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, TypeError, KeyError):
        return ""


@asynccontextmanager
async def open_api() -> AsyncGenerator[client.ApiClient]:
    """Connect as the pod's service account, or as KUBECONFIG says outside of a cluster."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with client.ApiClient(configuration) as api:
        yield api
