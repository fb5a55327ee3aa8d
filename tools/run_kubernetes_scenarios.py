"""Run the deployments of ``tools/scenarios/kubernetes/`` as a node would, and record what happens.

    python tools/run_kubernetes_scenarios.py [--only ID ...]

Needs an engine, ``kubectl`` (for ``kubectl kustomize``), ``helm`` (or ``HELM=…``) for charts, and
``kubernetes-validate`` (or ``VALIDATE=…``) for the published schemas. One engine shows of a
cluster: the containers of a pod, run with the manifest's command, arguments, variables, mounts,
user, working directory and read-only root, on one shared network address, after its init
containers; Services and routes by a request to the port of the container that they lead to,
published on 127.0.0.1. What only a control plane does is taken from its documentation: which
pods a selector takes, that a selector must take its own template, that ``runAsNonRoot`` refuses
root and names, the variables that name each Service, and that a pod which is not ready gets nothing
from its Services.

Writes ``truth.jsonl``, one line per deployment: ``built``, ``applied`` (the schemas take the
objects), ``started``, ``reachable`` (through Service and route), ``predicts``, ``ready`` (the
readiness probe passes). Stages after a failed one are null.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from run_scenarios import _call, _error, _request, write

FOLDER = Path(__file__).parent / "scenarios" / "kubernetes"
TRUTH = FOLDER / "truth.jsonl"
PATIENCE = 12.0
HELM = os.environ.get("HELM", "helm")
VALIDATE = os.environ.get("VALIDATE", "kubernetes-validate")
PLATFORM_PORT = 8080


def scenarios() -> Iterator[dict[str, Any]]:
    """Every scenario, its files with their common texts filled in."""
    for path in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text("utf-8"))
        common = data.get("common", {})
        for scenario in data["scenario"]:
            files = {**data.get("files", {}), **scenario.get("files", {})}
            scenario["files"] = {
                name: (common[text[1:]] if text.startswith("@") else text).removeprefix("\n")
                for name, text in files.items()
            }
            yield scenario


def rendered(scenario: dict[str, Any], root: Path) -> tuple[list[dict[str, Any]], str]:
    """The objects that would be applied, or the error of the tool that makes them."""
    if "helm" in scenario:
        options = [f"--values={root / v}" for v in scenario.get("values", ())]
        command = [HELM, "template", "release", str(root / scenario["helm"]), *options]
    elif "kustomize" in scenario:
        command = ["kubectl", "kustomize", str(root / scenario["kustomize"])]
    else:
        text = "\n---\n".join((root / name).read_text("utf-8") for name in scenario["apply"])
        return [d for d in yaml.safe_load_all(text) if d], ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [], done.stderr
    return [d for d in yaml.safe_load_all(done.stdout) if d], ""


def refused(objects: list[dict[str, Any]]) -> str:
    """Why the published schemas, or the selector's own rule, refuse an object."""
    known = [o for o in objects if "." not in o["apiVersion"] or "k8s.io" in o["apiVersion"]]
    known = [o for o in known if not o["apiVersion"].startswith("gateway.")]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(yaml.safe_dump_all(known))
        file.flush()
        done = subprocess.run([VALIDATE, file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        return _error(done.stdout + done.stderr)
    for item in objects:
        if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
            wanted = item["spec"]["selector"].get("matchLabels", {})
            labels = item["spec"]["template"].get("metadata", {}).get("labels", {})
            if any(labels.get(k) != v for k, v in wanted.items()):
                return "`selector` does not match template `labels`"
    return ""


def pod_of(objects: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, str], str]:
    """(specification, labels, platform) of the one workload."""
    for item in objects:
        group = item["apiVersion"].partition("/")[0]
        if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
            template = item["spec"]["template"]
            return template["spec"], template["metadata"].get("labels", {}), ""
        if group == "serving.knative.dev":
            return item["spec"]["template"]["spec"], {}, "knative"
        if group == "serving.kserve.io":
            return item["spec"]["predictor"], {}, "kserve"
    raise SystemExit("no workload")


class Pod:
    """The containers of one pod on one engine."""

    def __init__(self, scenario: dict[str, Any], objects: list[dict[str, Any]], root: Path) -> None:
        self.scenario = scenario
        self.objects = objects
        self.spec, self.labels, self.platform = pod_of(objects)
        self.name = f"k8s-{scenario['id'].replace('_', '-')}"
        self.folder = root / ".volumes"
        self.main = self.spec["containers"][0]
        self.started: list[str] = []
        self.error = ""

    def held(self, kind: str, name: str) -> dict[str, str] | None:
        for item in self.objects:
            if item["kind"] == kind and item["metadata"]["name"] == name:
                return {**item.get("data", {}), **item.get("stringData", {})}
        return None

    def environment(self, container: dict[str, Any]) -> dict[str, str]:
        env = self.service_links()
        for source in container.get("envFrom", ()):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    held = self.held(kind, source[key]["name"]) or {}
                    before = source.get("prefix", "")
                    env.update({before + name: text for name, text in held.items()})
        for item in container.get("env", ()):
            if "valueFrom" in item:
                for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                    if key in item["valueFrom"]:
                        reference = item["valueFrom"][key]
                        held = self.held(kind, reference["name"]) or {}
                        if reference["key"] in held:
                            env[item["name"]] = held[reference["key"]]
                        elif not reference.get("optional"):
                            self.error = f"couldn't find key {reference['key']} in {kind}"
            else:
                env[item["name"]] = self.expanded(item.get("value", ""), env)
        if self.platform and "PORT" not in env:
            env["PORT"] = str(self.platform_port())
        return env

    def service_links(self) -> dict[str, str]:
        """The variables that tell each container of the Services that were there before it."""
        env: dict[str, str] = {}
        if not self.spec.get("enableServiceLinks", True):
            return env
        for service in (o for o in self.objects if o["kind"] == "Service"):
            if service["apiVersion"] != "v1" or service["spec"].get("clusterIP") == "None":
                continue
            prefix = service["metadata"]["name"].upper().replace("-", "_")
            port = service["spec"]["ports"][0]
            number = port["port"]
            env[f"{prefix}_SERVICE_HOST"] = "10.96.0.17"
            env[f"{prefix}_SERVICE_PORT"] = str(number)
            env[f"{prefix}_PORT"] = f"tcp://10.96.0.17:{number}"
            env[f"{prefix}_PORT_{number}_TCP_PORT"] = str(number)
        return env

    @staticmethod
    def expanded(text: str, env: dict[str, str]) -> str:
        return re.sub(r"\$\((\w+)\)", lambda m: env.get(m.group(1), m.group()), text)

    def platform_port(self) -> int:
        for port in self.main.get("ports", ()):
            return int(port["containerPort"])
        return PLATFORM_PORT

    def mounts(self, container: dict[str, Any]) -> list[str]:
        options = []
        volumes = {v["name"]: v for v in self.spec.get("volumes", ())}
        for mount in container.get("volumeMounts", ()):
            volume = volumes[mount["name"]]
            place = self.folder / mount["name"]
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777)
            if "configMap" in volume or "secret" in volume:
                kind = "ConfigMap" if "configMap" in volume else "Secret"
                source = volume.get("configMap") or volume.get("secret")
                data = self.held(kind, source.get("name") or source.get("secretName")) or {}
                items = source.get("items") or [{"key": k, "path": k} for k in data]
                for item in items:
                    target = place / item["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(data[item["key"]], "utf-8")
            inner = place / mount["subPath"] if "subPath" in mount else place
            options += ["--volume", f"{inner}:{mount['mountPath']}"]
        return options

    def command(self, container: dict[str, Any], name: str) -> list[str]:
        env = self.environment(container)
        words = ["docker", "create", "--name", name]
        for key, item in env.items():
            words += ["--env", f"{key}={item}"]
        words += self.mounts(container)
        context = {**self.spec.get("securityContext", {}), **container.get("securityContext", {})}
        if "runAsUser" in context:
            words += ["--user", str(context["runAsUser"])]
        if context.get("readOnlyRootFilesystem"):
            words.append("--read-only")
        if "workingDir" in container:
            words += ["--workdir", container["workingDir"]]
        image = self.image(container)
        if context.get("runAsNonRoot") and "runAsUser" not in context:
            user = _call("docker", "image", "inspect", "--format", "{{.Config.User}}", image)[1]
            user = user.strip().partition(":")[0]
            if not user or user in ("0", "root"):
                self.error = "container has runAsNonRoot and image will run as root"
            elif not user.isdigit():
                self.error = f"container has runAsNonRoot and image has non-numeric user ({user})"
        if self.started:
            words += ["--network", f"container:{self.started[0]}"]
        else:
            for port in sorted(self.wanted()):
                words += ["--publish", f"127.0.0.1::{port}"]
        given = [self.expanded(w, env) for w in container.get("command") or ()]
        after = [self.expanded(w, env) for w in container.get("args") or ()]
        if given:
            words += ["--entrypoint", given[0], image, *given[1:], *after]
        else:
            words += [image, *after]
        return words

    def image(self, container: dict[str, Any]) -> str:
        name = container["image"].rpartition("/")[2].partition(":")[0]
        # Images of others are stood in for by the one that the engine has.
        return (
            f"scenario-k8s-{name}"
            if name in self.scenario.get("images", ["api"])
            else "python:3.11-slim"
        )

    def endpoints(self) -> list[int]:
        """The ports of the pod that Services (through their routes, if any) lead to."""
        if self.platform:
            return [self.platform_port()]
        found: list[int] = []
        ports = [p for c in self.spec["containers"] for p in c.get("ports", ())]
        services = [o for o in self.objects if o["kind"] == "Service"]
        for service in services:
            selector = service["spec"].get("selector", {})
            if any(self.labels.get(k) != v for k, v in selector.items()):
                continue
            for port in service["spec"]["ports"]:
                if not self.routed(service["metadata"]["name"], port):
                    continue
                target = port.get("targetPort", port["port"])
                if isinstance(target, str):
                    target = next(
                        (p["containerPort"] for p in ports if p.get("name") == target), None
                    )
                if target is not None:
                    found.append(int(target))
        return found

    def routed(self, name: str, port: dict[str, Any]) -> bool:
        """Whether a route leads to this port; True where there are no routes at all."""
        backends: list[tuple[str, Any]] = []
        for item in self.objects:
            if item["kind"] == "Ingress":
                for rule in item["spec"]["rules"]:
                    for path in rule["http"]["paths"]:
                        service = path["backend"]["service"]
                        wanted = service["port"]
                        backends.append((service["name"], wanted.get("number", wanted.get("name"))))
            elif item["kind"] == "HTTPRoute":
                for rule in item["spec"]["rules"]:
                    backends += [(b["name"], b["port"]) for b in rule["backendRefs"]]
        if not backends:
            return True
        return any(n == name and p in (port["port"], port.get("name")) for n, p in backends)

    def probe_port(self) -> int | None:
        probe = self.main.get("readinessProbe", {}).get("httpGet")
        if probe is None:
            return None
        port = probe["port"]
        if isinstance(port, str):
            named = (p for p in self.main.get("ports", ()) if p.get("name") == port)
            return next((int(p["containerPort"]) for p in named), -1)
        return int(port)

    def wanted(self) -> set[int]:
        ports = {*self.endpoints(), 65000}
        probe = self.probe_port()
        return ports | ({probe} if probe and probe > 0 else set())

    def address(self, port: int) -> str:
        line = _call("docker", "port", self.started[0], str(port))[1].strip()
        number = line.rpartition(":")[2]
        # A container that ended has no port any more; nobody listens on this one.
        return f"http://127.0.0.1:{number if number.isdigit() else 9}"

    def running(self) -> bool:
        state = "{{.State.Running}} {{.RestartCount}}"
        for name in self.started:
            if not _call("docker", "inspect", "--format", state, name)[1].startswith("true"):
                self.error = _error(_call("docker", "logs", name)[1]) or f"{name} ended"
                return False
        return True

    def run(self, truth: dict[str, Any]) -> None:
        for index, container in enumerate(self.spec.get("initContainers", ())):
            name = f"{self.name}-init{index}"
            kept, self.started = self.started, []
            self.command(container, name)
            done = self.command(container, name)
            self.started = kept
            _call(*done)
            good, log = _call("docker", "start", "--attach", name)
            _call("docker", "rm", "--force", name)
            if not good:
                truth["started"], truth["error"] = False, _error(log)
                return
        for index, container in enumerate(self.spec["containers"]):
            name = f"{self.name}-{index}"
            command = self.command(container, name)
            if self.error:
                truth["started"], truth["error"] = False, self.error
                return
            good, log = _call(*command)
            if good:
                self.started.append(name)
                good, log = _call("docker", "start", name)
            if not good:
                truth["started"], truth["error"] = False, _error(log)
                return
        self.watch(truth)

    def watch(self, truth: dict[str, Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        status = None
        ports = self.endpoints()
        while self.running() and status is None and time.monotonic() < deadline:
            time.sleep(0.7)
            for port in ports:
                status = status or _request(f"{self.address(port)}/health")
            if not ports and time.monotonic() > deadline - PATIENCE + 5:
                break
        # A container that falls over late is no server: gunicorn tries a taken port five times.
        time.sleep(1.0 if len(self.started) == 1 else 9.0)
        truth["started"] = self.running()
        if not truth["started"]:
            truth["error"] = self.error
            return
        truth["reachable"] = status is not None
        probe = self.probe_port()
        if probe is not None:
            path = self.main["readinessProbe"]["httpGet"].get("path", "/")
            answer = _request(f"{self.address(probe)}{path}") if probe > 0 else None
            truth["ready"] = answer is not None and 200 <= answer < 400
            if not truth["ready"]:
                truth["reachable"] = False
                truth["error"] = "the pod is not ready"
                return
        if status is None:
            truth["error"] = "no answer"
            return
        for port in ports:
            answer = _request(f"{self.address(port)}/predict", b'{"row": [1, 2, 3]}')
            if answer is not None:
                truth["predicts"] = 200 <= answer < 300

    def remove(self) -> None:
        for name in reversed(self.started):
            _call("docker", "rm", "--force", name)
        for index in range(4):
            _call("docker", "rm", "--force", f"{self.name}-{index}")


def observe(scenario: dict[str, Any]) -> dict[str, Any]:
    """Build, render, apply and run one scenario."""
    stages = ("built", "applied", "started", "reachable", "predicts", "ready")
    truth: dict[str, Any] = dict.fromkeys(stages)
    truth = {"id": scenario["id"], "kind": scenario["kind"], **truth, "error": ""}
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCENARIO_TMP")) as folder:
        root = write(scenario, Path(folder) / "repository")
        for name in scenario.get("images", ["api"]):
            path = "Dockerfile" if name == "api" else f"{name}.Dockerfile"
            truth["built"], log = _call(
                "docker", "build", "--tag", f"scenario-k8s-{name}", "--file", path, ".", cwd=root
            )
            if not truth["built"]:
                truth["error"] = _error(log)
                return truth
        objects, problem = rendered(scenario, root)
        problem = _error(problem) if problem else refused(objects)
        truth["applied"] = not problem
        if problem:
            truth["error"] = problem
            return truth
        pod = Pod(scenario, objects, root)
        try:
            pod.run(truth)
        finally:
            pod.remove()
    return truth


def main() -> None:
    """Run them all, or the named ones, and update the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--missing", action="store_true", help="those without a record only")
    given = parser.parse_args()
    wanted = given.only
    known = {}
    if TRUTH.exists():
        known = {row["id"]: row for row in map(json.loads, TRUTH.read_text("utf-8").splitlines())}
    order = []
    for scenario in scenarios():
        order.append(scenario["id"])
        if wanted and scenario["id"] not in wanted:
            continue
        if given.missing and scenario["id"] in known:
            continue
        known[scenario["id"]] = observe(scenario)
        print(json.dumps(known[scenario["id"]]), flush=True)
        rows = [json.dumps(known[name]) for name in order if name in known]
        rest = [json.dumps(row) for name, row in known.items() if name not in order]
        TRUTH.write_text("\n".join(rows + rest) + "\n", "utf-8")
    TRUTH.write_text("\n".join(json.dumps(known[n]) for n in order if n in known) + "\n", "utf-8")
    for name in ("api", "worker"):
        _call("docker", "rmi", "--no-prune", f"scenario-k8s-{name}")


if __name__ == "__main__":
    main()
