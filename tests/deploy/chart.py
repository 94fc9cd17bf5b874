"""``make test-helm``: Helm lints and renders the chart, and every object is valid for the Kubernetes that are in use.

Each set of values is rendered, and what is rendered is held to the schemas of Kubernetes, where a field that there is
not is an error. Values that would not run must not render.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

__all__ = ["main"]

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm"
#: Of no schema of Kubernetes: it belongs to the operator of Prometheus.
_FOREIGN = {"PodMonitor"}

_ALL: dict[str, Any] = {
    "image": {"repository": "registry.example/watchofficer", "tag": "@sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "settings": {"BROKER": "kafka-1:9092,kafka-2:9092", "PORT": 1234, "CLIENT_RACK": "a"},
    "secrets": {"existingSecret": "watchofficer", "keys": ["API_TOKENS", "PAGERDUTY__ROUTING_KEY"]},
    "tls": {"existingSecret": "watchofficer-tls"},
    "policy": "severity: {severity_1_over: 60}\n# 'quoted' \"twice\"\n",
    "workers": {"replicas": 3, "minAvailable": 2, "extraArgs": ["--from", "earliest"]},
    "networkPolicy": {
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "kafkaTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "kafkaPorts": [9093, 9094],
        "receiverPorts": [443, 587],
    },
    "podMonitor": {
        "enabled": True,
        "tokenSecret": "watchofficer-read",
        "tlsConfig": {"serverName": "watchofficer"},
    },
    "podAnnotations": {"example.org/owner": "identity"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "watch", "operator": "Exists", "effect": "NoSchedule"}],
}
VALID: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "all options": _ALL,
    "the least": {"guard": {"enabled": False}, "networkPolicy": {"enabled": False}},
    "TLS without the pod monitor": {"tls": {"existingSecret": "watchofficer-tls"}},
}
INVALID: dict[str, dict[str, Any]] = {
    "a secret in plain sight": {"settings": {"BROKER": "k:9092", "SLACK__TOKEN": "xoxb"}},
    "keys of no Secret": {"secrets": {"keys": ["API_TOKENS"]}},
    "a key that there is not": {"replicas": 3},
    "TLS of which the probes know nothing": {
        "settings": {"BROKER": "k:9092", "HTTP_TLS__CERT_FILE": "/tls.crt"}
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was checked and what is wrong; 0 if nothing is, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.chart", description=__doc__)
    parser.add_argument("--helm", default="helm", help="the program")
    parser.add_argument("--validate", default="kubernetes-validate", help="the program")
    parser.add_argument("--versions", nargs="+", default=["1.31", "1.34", "1.37"], help="of Kubernetes")
    options = parser.parse_args(arguments)
    wrong = list(_wrong(options.helm, options.validate, options.versions))
    print("\n".join(wrong) or f"{len(VALID)} renderings valid under Kubernetes {', '.join(options.versions)}")
    return int(bool(wrong))


def _wrong(helm: str, validate: str, versions: Sequence[str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        values, rendered = Path(folder) / "values.yaml", Path(folder) / "rendered.yaml"
        given = ["watch", str(CHART), "-f", str(values), "--kube-version"]
        for name, wanted in VALID.items():
            values.write_text(yaml.safe_dump(wanted))
            status, said = _run([helm, "lint", "--strict", *given[1:], versions[-1]])
            if status:
                yield f"{name}: helm lint: {said}"
            for version in versions:
                status, said = _run([helm, "template", *given, version])
                if status:
                    yield f"{name}, Kubernetes {version}: helm template: {said}"
                    continue
                objects = [one for one in yaml.safe_load_all(said) if one]
                yield from (f"{name}: {complaint}" for complaint in _about_probes(objects, wanted))
                rendered.write_text(yaml.safe_dump_all(one for one in objects if one["kind"] not in _FOREIGN))
                status, said = _run([validate, "--strict", "-k", version, str(rendered)])
                if status:
                    yield f"{name}, Kubernetes {version}: {said}"
        for name, unwanted in INVALID.items():
            values.write_text(yaml.safe_dump(unwanted))
            if _run([helm, "template", *given, versions[-1]])[0] == 0:
                yield f"{name}: it was rendered all the same"


def _about_probes(objects: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> Iterator[str]:
    """What probes do not speak of what the pods serve, workers and guard alike."""
    wanted = "HTTPS" if "tls" in given else "HTTP"
    deployments = [one for one in objects if one["kind"] == "Deployment"]
    if len(deployments) != 1 + given.get("guard", {}).get("enabled", True):
        yield f"{len(deployments)} deployments"
    for one in deployments:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container[probe]["httpGet"]["scheme"] != wanted:
                yield f"{one['metadata']['name']}: {probe} does not speak {wanted}"


def _run(command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
