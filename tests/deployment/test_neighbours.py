"""Who stands beside whom in a Compose project, and what asking it of every service costs."""

from pathlib import Path

import deploykit

from auditor.deployment.model import Deployment, Service

COMPOSE = """\
services:
  proxy:
    image: nginx
    ports: ["8080:80"]
    depends_on:
      api: {condition: service_healthy}
      setup: {condition: service_completed_successfully}
  api:
    image: org/api
    container_name: scorer
    hostname: model.local
    networks:
      default: {aliases: [predictor]}
    ports: ["8080:8000"]
    depends_on: [setup]
  setup:
    image: org/setup
"""


def project(tmp_path: Path) -> tuple[Deployment, dict[str, Service]]:
    deployment = deploykit.deployment(
        tmp_path, {"compose.yaml": COMPOSE, "other/compose.yaml": COMPOSE}
    )
    first = {s.compose.name: s for s in deployment.services[:3] if s.compose is not None}
    return deployment, first


def test_a_project_is_a_neighbourhood_of_its_own(tmp_path):
    deployment, first = project(tmp_path)
    near = deployment.neighbours
    assert near.siblings(first["proxy"]) == list(deployment.services[:3])
    assert near.called(first["proxy"], "api") is first["api"]
    assert near.called(first["proxy"], "nobody") is None


def test_every_name_that_a_network_knows(tmp_path):
    deployment, first = project(tmp_path)
    for name in ("api", "scorer", "model.local", "predictor"):
        assert deployment.neighbours.known_as(first["proxy"], name) == [first["api"]]
    assert deployment.neighbours.known_as(first["proxy"], "org/api") == []


def test_waiting_for_health_is_not_waiting_for_an_end(tmp_path):
    deployment, first = project(tmp_path)
    near = deployment.neighbours
    assert near.waiting(first["api"], for_health=True) == [first["proxy"]]
    # `api` waits for its start alone, which nothing can refuse it.
    assert near.waiting(first["setup"]) == [first["proxy"]]
    assert near.waiting(first["setup"], for_health=True) == []


def test_only_who_came_before_takes_a_port(tmp_path):
    deployment, first = project(tmp_path)
    near = deployment.neighbours
    taken = near.earlier_publishers(first["api"], 8080)
    assert [(s.name, item.at.line) for s, item in taken] == [("proxy", 4)]
    assert list(near.earlier_publishers(first["proxy"], 8080)) == []


def test_services_come_in_the_order_of_the_deployment(tmp_path):
    deployment, first = project(tmp_path)
    found = deployment.services_of(["setup", "proxy", "gone"])
    assert found == (first["proxy"], first["setup"])
