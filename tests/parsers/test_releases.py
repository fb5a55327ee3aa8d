"""What installs a chart: Argo CD, Flux and helm command lines; and the chart as they install it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers import releases, yamldoc
from auditor.result import AuditResult
from auditor.source import SourceText

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: scoring}
spec:
  source:
    repoURL: https://example.org/x
    path: deploy/chart
    helm:
      releaseName: RELEASE
      valueFiles: [values-scoring.yaml, /shared/values.yaml]
      parameters:
        - {name: image.tag, value: "7"}
"""


def read(text: str) -> list[releases.Release]:
    return list(releases.objects(SourceText("argocd/a.yaml", text)))


def test_an_application_names_its_files_from_the_chart_and_the_root() -> None:
    (found,) = read(APPLICATION)
    assert (found.name, found.chart) == ("RELEASE", "deploy/chart")
    assert found.files == ("deploy/chart/values-scoring.yaml", "shared/values.yaml")
    assert found.settings == (("image.tag", "7"),)
    assert read(APPLICATION.replace("      releaseName: RELEASE\n", ""))[0].name == "scoring"


def test_what_a_template_fills_in_is_left_out() -> None:
    assert read(APPLICATION.replace("values-scoring.yaml", "'{{ .env }}.yaml'")) == []
    assert read(APPLICATION.replace("kind: Application", "kind: ApplicationSet")) == []


def test_sources_of_an_application_and_values_in_it() -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: api}
spec:
  sources:
    - {path: chart, helm: {valueFiles: [$conf/prod/api.yaml], values: "image: {tag: '3'}"}}
    - {repoURL: https://example.org/conf, ref: conf}
"""
    (found,) = read(text)
    assert found.files == ("prod/api.yaml",)
    assert isinstance(found.values, yamldoc.Mapping)


def test_a_helm_release_takes_its_own_files_alone() -> None:
    text = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: api}
spec:
  chart: {spec: {chart: ./deploy/chart, valuesFiles: [./deploy/prod.yaml]}}
  values: {a: 1}
"""
    (found,) = read(text)
    assert (found.chart, found.files, found.alone) == ("deploy/chart", ("deploy/prod.yaml",), True)
    assert read(text.replace("./deploy/chart", "redis")) == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("helm install api ./chart -f a.yaml", ("api", "./chart", ("a.yaml",))),
        (
            "helm upgrade --install api ./c --values=a.yaml,b.yaml",
            ("api", "./c", ("a.yaml", "b.yaml")),
        ),
        ("helm upgrade api ./c -n prod --wait -f a.yaml && echo x y", ("api", "./c", ("a.yaml",))),
        ("$ helm install api ./c \\\n  -f a.yaml", ("api", "./c", ("a.yaml",))),
        ("helm install api ./c -f $VALUES", None),
        ("helm install <name> ./c", None),
        ("helm template api ./c", None),
        ("helm install api ./c -f 'a", None),
    ],
)
def test_command_lines(line: str, wanted: tuple[object, ...] | None) -> None:
    found = [(r.name, r.chart, r.files) for r in releases.commands(line, "d.sh")]
    assert found == ([] if wanted is None else [wanted])


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: service\nversion: 1.0.0\n",
    "chart/values.yaml": "image: {repository: '', tag: latest}\n",
    "chart/templates/d.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
        - {name: main, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}
""",
    "chart/values-api.yaml": "image: {repository: example.org/api}\n",
    "chart/values-worker.yaml": "image: {repository: example.org/worker}\n",
    "chart/values-dev.yaml": "image: {repository: example.org/dev}\n",
}
ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME}
spec: {source: {path: chart, helm: {valueFiles: [values-NAME.yaml]}}}
"""


def audited(root: Path, files: dict[str, str]) -> AuditResult:
    for name, text in {**CHART, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return audit(root, Settings())


def images(result: AuditResult) -> list[str]:
    return sorted(f"{s.name}={s.image}" for s in result.services)


def refused(result: AuditResult) -> int:
    return sum(f.rule == "IMG030" for f in result.findings)


def test_a_chart_is_installed_as_often_as_the_controller_installs_it(tmp_path: Path) -> None:
    bare = audited(tmp_path / "bare", {})
    assert refused(bare) == 1
    apps = {f"argocd/{n}.yaml": ARGO.replace("NAME", n) for n in ("api", "worker", "dev")}
    found = audited(tmp_path / "argo", apps)
    assert refused(found) == 0
    assert images(found) == ["api=example.org/api:latest", "worker=example.org/worker:latest"]


def test_a_command_line_with_values_counts_where_none_goes_without(tmp_path: Path) -> None:
    typed = {
        "deploy.sh": "#!/bin/sh\nhelm upgrade --install api ./chart -f chart/values-api.yaml\n"
    }
    assert images(audited(tmp_path / "a", typed)) == ["api=example.org/api:latest"]
    both = {**typed, "README.md": "    helm install api ./chart\n"}
    assert refused(audited(tmp_path / "b", both)) == 1
    gone = {"deploy.sh": "#!/bin/sh\nhelm install api ./chart -f secret.yaml\n"}
    assert refused(audited(tmp_path / "c", gone)) == 1


def test_an_image_that_a_workflow_sets_later_is_not_the_last_word(tmp_path: Path) -> None:
    plain = CHART["chart/templates/d.yaml"].replace("{{ .Release.Name }}", "api")
    plain = plain.replace(
        "{{ .Values.image.repository }}:{{ .Values.image.tag }}", "ghcr.io//api:1"
    )

    def found(name: str, line: str) -> int:
        root = tmp_path / name
        (root / "k8s").mkdir(parents=True)
        (root / "k8s/d.yaml").write_text(plain, "utf-8")
        (root / "deploy.sh").write_text(f"#!/bin/sh\nkubectl apply -f k8s\n{line}\n", "utf-8")
        return refused(audit(root, Settings()))

    assert found("bare", "") == 1
    assert found("other", "kubectl set image deployment/web main=example.org/api:2") == 1
    assert found("set", "kubectl set image -n prod deployment/api main=example.org/api:$TAG") == 0
