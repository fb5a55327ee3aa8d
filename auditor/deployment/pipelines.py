"""Programs that run images by a command of their own: an image for them needs none."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.discovery import FileKind

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts

# Kubeflow Pipelines, Airflow, Vertex AI, SageMaker, Azure ML, Dagster, Prefect: what names an image there.
_IN_CODE = re.compile(
    r"\bbase_image\s*=|\b(?:ContainerOp|ContainerSpec|DockerOperator|KubernetesPodOperator|"
    r"ContainerizedTask|CustomContainerTrainingJob|CustomPythonPackageTrainingJob|ScriptProcessor|"
    r"DockerContainer|KubernetesJob|docker_executor|k8s_job_executor)\s*\("
)
# MLflow projects, Jenkins agents, development containers, jobs of CI.
_IN_FILES = {
    "MLproject": re.compile(r"^docker_env\s*:", re.MULTILINE),
    "Jenkinsfile": re.compile(r"\bdockerfile\b"),
    "devcontainer.json": re.compile(r'"docker[fF]ile"'),
}
_MAX_SIZE = 500_000


def give_commands(facts: Facts) -> bool:
    """Whether something in the repository runs images by a command that it gives itself."""
    for entry in facts.repository.entries:
        pattern = _IN_FILES.get(posixpath.basename(entry.path))
        if pattern is None and entry.kind is FileKind.PYTHON and not entry.is_dev:
            pattern = _IN_CODE
        if pattern is None or entry.size > _MAX_SIZE:
            continue
        if pattern.search(facts.repository.read_text(entry.path).text):
            return True
    return False
