"""The cluster's keys, certificates and kubeconfigs, made anew for every cluster."""

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import places

_VALID = dt.timedelta(days=365)
_BEFORE = dt.timedelta(hours=1)

_CLIENTS = {
    "admin": ("edworkers-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", None),
    "kube-scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "coredns": ("edworkers-coredns", None),
}
"""Who has a kubeconfig: the user's name and group in the API."""


@dataclass(frozen=True)
class Pair:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make(folder: Path) -> None:
    """Write every key and certificate, and the kubeconfigs."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = _authority("edworkers-cluster")
    front_proxy = _authority("edworkers-front-proxy")
    names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{places.DNS_DOMAIN}",
    ]
    addresses = [places.KUBERNETES_SERVICE, places.NODE_ADDRESS, "127.0.0.1"]
    kubelet = (f"system:node:{places.NODE}", "system:nodes")
    pairs = {
        "ca": authority,
        "front-proxy-ca": front_proxy,
        "apiserver": _issue(authority, "kube-apiserver", hosts=[*names, "localhost", *addresses]),
        "apiserver-kubelet-client": _issue(authority, "kube-apiserver-kubelet-client", "system:masters"),
        "front-proxy-client": _issue(front_proxy, "front-proxy-client"),
        "kubelet": _issue(authority, *kubelet, hosts=[places.NODE, places.NODE_ADDRESS]),
        "service-accounts": _authority("service-accounts"),
    }
    for name, pair in pairs.items():
        _write(folder, name, pair)
    _write_kubeconfig("kubelet", pairs["kubelet"], authority)
    for name, user in _CLIENTS.items():
        _write_kubeconfig(name, _issue(authority, *user), authority)


def _authority(name: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(name), _name(name), key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(key, certificate)


def _issue(issuer: Pair, name: str, group: str | None = None, hosts: Sequence[str] = ()) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
    builder = _builder(_name(name, group), issuer.certificate.subject, key)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    return Pair(key, builder.sign(issuer.key, hashes.SHA256()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
    )


def _name(name: str, group: str | None = None) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(folder: Path, name: str, pair: Pair) -> None:
    (folder / f"{name}.key").write_bytes(_key_pem(pair.key))
    (folder / f"{name}.key").chmod(0o600)
    (folder / f"{name}.crt").write_bytes(_certificate_pem(pair.certificate))


def _write_kubeconfig(name: str, pair: Pair, authority: Pair) -> None:
    """Write a kubeconfig that needs no other file; YAML's readers take JSON."""
    places.KUBECONFIGS.mkdir(parents=True, exist_ok=True)
    cluster = {
        "server": places.API_SERVER,
        "certificate-authority-data": _base64(_certificate_pem(authority.certificate)),
    }
    user = {
        "client-certificate-data": _base64(_certificate_pem(pair.certificate)),
        "client-key-data": _base64(_key_pem(pair.key)),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "edworkers", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "edworkers", "context": {"cluster": "edworkers", "user": name}}],
        "current-context": "edworkers",
    }
    file = places.KUBECONFIGS / name
    file.touch(mode=0o600)
    file.write_text(json.dumps(document, indent=1))


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()
