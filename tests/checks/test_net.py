from __future__ import annotations

from pathlib import Path

import pytest
import repo_kit as kit

from auditor.findings import Severity


@pytest.mark.parametrize(
    ("command", "loopback"),
    [
        (kit.GUNICORN, False),
        ('["gunicorn", "app:app"]', True),
        ('["gunicorn", "-b", "localhost:8000", "app:app"]', True),
        ('["gunicorn", "-b", ":8000", "app:app"]', False),
        ('["gunicorn", "-b", "127.0.0.1:9000", "-b", "0.0.0.0:8000", "app:app"]', False),
        ('["flask", "run", "--port", "8000"]', True),
        ('["flask", "run", "--host", "0.0.0.0", "--port", "8000"]', False),
    ],
)
def test_loopback(command: str, loopback: bool, tmp_path: Path) -> None:
    files = {
        "Dockerfile": kit.dockerfile(command=command),
        "docker-compose.yml": kit.compose(""),
    }
    result = kit.service(tmp_path, files)
    assert bool(kit.of(result, "NET001")) is loopback
    assert kit.answers(result)[2] == ("no" if loopback else "yes")


def test_host_networking_shares_loopback(tmp_path: Path) -> None:
    files = {
        "Dockerfile": kit.dockerfile(command='["gunicorn", "app:app"]'),
        "docker-compose.yml": kit.compose("network_mode: host", port=""),
    }
    assert not kit.of(kit.service(tmp_path, files), "NET001")


@pytest.mark.parametrize(
    ("line", "reported"),
    [("EXPOSE 5000", True), ("EXPOSE 8000", False), ("EXPOSE 5000 8000", False),
     ("EXPOSE 7990-8010", False), ("EXPOSE 5000/udp", False), ("", False)],
)  # fmt: skip
def test_expose(line: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(line)})
    assert bool(kit.of(result, "NET002")) is reported


@pytest.mark.parametrize(
    ("port", "reported"),
    [("8000:5000", True), ("5000:8000", False), ("8000", False), ("127.0.0.1:80:8000", False)],
)
def test_published(port: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"docker-compose.yml": kit.compose("", port=port)})
    assert bool(kit.of(result, "NET003")) is reported
    assert kit.answers(result)[2] == ("no" if reported else "yes")


def test_a_second_port_that_nobody_serves_is_medium(tmp_path: Path) -> None:
    text = kit.compose('ports: ["8000:8000", "9000:9000"]', port="")
    result = kit.service(tmp_path, {"docker-compose.yml": text})
    (found,) = kit.of(result, "NET003")
    assert found.severity is Severity.MEDIUM
    assert kit.answers(result)[2] == "yes"


@pytest.mark.parametrize(
    ("other", "reported"),
    [
        ('ports: ["8000:80"]', True),
        ('ports: ["8001:80"]', False),
        ('ports: ["8000:80/udp"]', False),
        ('network_mode: host\n    ports: ["8000:80"]', False),
    ],
)
def test_collisions(other: str, reported: bool, tmp_path: Path) -> None:
    text = kit.compose("") + f"  docs:\n    image: nginx:1.27\n    {other}\n"
    found = kit.of(kit.service(tmp_path, {"docker-compose.yml": text}), "NET004")
    assert bool(found) is reported


def test_alternatives_do_not_collide(tmp_path: Path) -> None:
    text = (
        kit.compose("profiles: [cpu]")
        + '  gpu:\n    build: .\n    profiles: [gpu]\n    ports: ["8000:8000"]\n'
    )
    assert not kit.of(kit.service(tmp_path, {"docker-compose.yml": text}), "NET004")


def test_a_project_without_any_port(tmp_path: Path) -> None:
    alone = kit.compose("", port="")
    result = kit.service(tmp_path / "a", {"docker-compose.yml": alone})
    assert kit.places(result, "NET005") == [("docker-compose.yml", 2)]
    behind = alone + '  proxy:\n    image: nginx:1.27\n    ports: ["80:80"]\n'
    assert not kit.of(kit.service(tmp_path / "b", {"docker-compose.yml": behind}), "NET005")


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("http://localhost:8000/health", False),
        ("http://localhost:8080/health", True),
        ("http://localhost:8000/healthz", True),
        ("http://example.org:1/health", False),
    ],
)
def test_health_address(url: str, reported: bool, tmp_path: Path) -> None:
    check = f"HEALTHCHECK CMD python -c \"import urllib.request as u; u.urlopen('{url}')\""
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(check)})
    assert bool(kit.of(result, "NET006")) is reported
    # An unhealthy container still serves.
    assert kit.answers(result) == ("yes",) * 4


def test_privileged_port_only_in_the_strict_profile(tmp_path: Path) -> None:
    text = kit.dockerfile("USER nobody", '["gunicorn", "-b", "0.0.0.0:80", "app:app"]')
    assert kit.of(kit.service(tmp_path, {"Dockerfile": text}, strict=True), "NET008")
    assert not kit.of(kit.service(tmp_path, {"Dockerfile": text}), "NET008")


def test_a_service_whose_selector_is_the_name_of_a_workload(tmp_path: Path) -> None:
    """The workload that no Service selects, in another file of the folder."""
    files = {
        "k8s/deployment.yaml": (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: price-api-1.0}\nspec:\n"
            "  selector: {matchLabels: {name: prices}}\n  template:\n"
            "    metadata: {labels: {name: prices}}\n"
            "    spec: {containers: [{name: api, image: 'shop/prices:1.0'}]}\n"
        ),
        "k8s/service.yaml": (
            "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec:\n"
            "  selector: {name: price-api}\n  ports: [{port: 80}]\n"
        ),
        "k8s/other.yaml": (
            "apiVersion: v1\nkind: Service\nmetadata: {name: metrics}\nspec:\n"
            "  selector: {app: prometheus-operated}\n  ports: [{port: 9090}]\n"
        ),
    }
    assert kit.places(kit.service(tmp_path, files), "NET011") == [("k8s/service.yaml", 5)]


def test_a_chart_and_plain_manifests_are_two_ways_to_install(tmp_path: Path) -> None:
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec:\n"
        "  selector: {{matchLabels: {{app: api}}}}\n  template:\n"
        "    metadata: {{labels: {{app: api}}}}\n    spec:\n      containers:\n"
        "      - {{name: api, image: 'api:1.0', ports: [{{{name}containerPort: 8000}}]}}\n"
    )
    files = {
        "docker-compose.yml": kit.compose("image: api:1.0"),
        "chart/Chart.yaml": "apiVersion: v2\nname: api\nversion: 1.0.0\n",
        "chart/templates/deployment.yaml": deployment.format(name=""),
        "k8s/deployment.yaml": deployment.format(name="name: http, "),
        "k8s/service.yaml": (
            "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n"
            "  selector: {app: api}\n  ports: [{port: 80, targetPort: http}]\n"
        ),
    }
    assert not kit.of(kit.service(tmp_path / "both", files), "NET007")
    del files["k8s/deployment.yaml"]
    assert kit.places(kit.service(tmp_path / "only", files), "NET007") == [("k8s/service.yaml", 6)]


def test_a_patch_is_no_deployment_of_its_own(tmp_path: Path) -> None:
    patch = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n"
        "  template: {metadata: {annotations: {prometheus.io/scrape: 'true'}}}\n"
    )
    whole = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n"
        "  selector: {matchLabels: {app: api}}\n  template:\n"
        "    metadata: {labels: {app: api}}\n"
        "    spec: {containers: [{name: api, image: 'api:1.0'}]}\n"
    )
    alone = kit.service(tmp_path / "alone", {"k8s/patch.yaml": patch})
    assert kit.of(alone, "IMG030")
    both = kit.service(tmp_path / "both", {"k8s/patch.yaml": patch, "k8s/api.yaml": whole})
    assert not kit.of(both, "IMG030")


@pytest.mark.parametrize(
    ("place", "refused"), [("patches/memory.yaml", False), ("memory.yaml", True)]
)
def test_a_patch_that_no_kustomization_takes(place: str, refused: bool, tmp_path: Path) -> None:
    part = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: elsewhere}\n"
        "spec: {template: {spec: {containers: [{name: api, resources: {}}]}}}\n"
    )
    result = kit.service(tmp_path, {f"k8s/{place}": part})
    assert bool(kit.of(result, "IMG030")) is refused


@pytest.mark.parametrize(("image", "told"), [("shop/price-api:1", True), ("mode-demo:1", False)])
def test_an_image_of_other_words_is_somebody_elses(image: str, told: bool, tmp_path: Path) -> None:
    """The only Dockerfile is built under other names: the manifest's image is not taken for it."""
    manifest = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n"
        "  selector: {matchLabels: {app: x}}\n  template:\n    metadata: {labels: {app: x}}\n"
        f"    spec: {{containers: [{{name: x, image: '{image}', ports: [{{containerPort: 9000}}]}}]}}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n"
        "  selector: {app: x}\n  ports: [{port: 80, targetPort: 9000}]\n"
    )
    files = {"k8s/x.yaml": manifest, "Makefile": "build:\n\tdocker build -t price-api-v2 .\n"}
    files["Makefile"] = files["Makefile"].replace("-v2", "") if told else files["Makefile"]
    assert bool(kit.of(kit.service(tmp_path, files), "NET007")) is told


def test_one_application_in_two_files_is_told_once_each(tmp_path: Path) -> None:
    manifest = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n"
        "  selector: {matchLabels: {app: api}}\n  template:\n"
        "    metadata: {labels: {app: api}}\n"
        "    spec: {containers: [{name: api, image: 'api:1.0', ports: [{containerPort: 9000}]}]}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec:\n"
        "  selector: {app: api}\n  ports: [{port: 80, targetPort: 9000}]\n"
    )
    files = {"deploy.yml": manifest, "k8s-deploy.yml": manifest}
    found = kit.places(kit.service(tmp_path, files), "NET007")
    assert sorted(found) == [("deploy.yml", 15), ("k8s-deploy.yml", 15)]
