from __future__ import annotations

from pathlib import Path

import pytest
import repo_kit as kit

from auditor.findings import Severity


def _reads(code: str, extra: str = "", **files: str) -> dict[str, str]:
    return {"app.py": code + kit.APP, "Dockerfile": kit.dockerfile(extra), **files}


def test_a_relative_path_that_leads_elsewhere(tmp_path: Path) -> None:
    files = _reads('open("w.txt")\n', "COPY w.txt /data/", **{"w.txt": "1"})
    result = kit.service(tmp_path, files)
    assert kit.places(result, "PTH001") == [("app.py", 1)]
    assert not kit.of(result, "PTH002")
    assert kit.answers(result)[1] == "no"


@pytest.mark.parametrize(
    "code",
    [
        'open("w.txt")\n',
        'from pathlib import Path\nopen(Path(__file__).parent / "w.txt")\n',
        'import os\nopen(os.getenv("W", "/app/w.txt"))\n',
    ],
)
def test_paths_that_resolve(code: str, tmp_path: Path) -> None:
    result = kit.service(tmp_path, _reads(code, "COPY w.txt ./", **{"w.txt": "1"}))
    assert not kit.of(result, "PTH001") + kit.of(result, "PTH002")
    assert kit.answers(result) == ("yes",) * 4


@pytest.mark.parametrize(
    "code",
    [
        # Optional by the library's own rule.
        'from dotenv import load_dotenv\nload_dotenv(".env.local")\n',
        # Handled.
        'try:\n    open("w.txt")\nexcept OSError:\n    pass\n',
        # Asked before.
        'import os\nif os.path.exists("w.txt"):\n    open("w.txt")\n',
        # Made by the run itself.
        'open("w.txt", "w").write("1")\nopen("w.txt")\n',
    ],
)
def test_files_whose_absence_is_survived(code: str, tmp_path: Path) -> None:
    files = _reads(code)
    files["requirements.txt"] = kit.REQUIREMENTS + "python-dotenv==1.0.1\n"
    result = kit.service(tmp_path, files)
    assert not kit.of(result, "PTH002")
    assert kit.answers(result)[1] == "yes"


def test_a_read_under_a_condition_is_low(tmp_path: Path) -> None:
    code = 'import os, sys\nif len(sys.argv) > 3 or os.getpid() == 4:\n    open("w.txt")\n'
    (found,) = kit.of(kit.service(tmp_path, _reads(code)), "PTH002")
    assert found.severity is Severity.LOW


def test_candidates_of_one_line(tmp_path: Path) -> None:
    code = (
        "import os\n\n\ndef load(name):\n"
        '    for folder in ("/etc/acme", "/app"):\n'
        "        path = os.path.join(folder, name)\n"
        "        if os.path.isfile(path):\n"
        "            return open(path)\n\n\n"
        'load("w.txt")\n'
    )
    result = kit.service(tmp_path, _reads(code, "COPY w.txt ./", **{"w.txt": "1"}))
    assert not kit.of(result, "PTH002")


def test_one_missing_file_is_one_finding(tmp_path: Path) -> None:
    code = 'open("w.txt")\nopen("w.txt", "rb")\n'
    assert kit.places(kit.service(tmp_path, _reads(code)), "PTH002") == [("app.py", 1)]


@pytest.mark.parametrize("code", ['open("models/w.bin")\n', 'import os\n\nos.listdir("models")\n'])
def test_what_git_ignores_may_be_made(code: str, tmp_path: Path) -> None:
    files = _reads(code, "COPY . .", **{".gitignore": "models/\n"})
    result = kit.service(tmp_path, files)
    (found,) = kit.of(result, "PTH002")
    assert found.severity is Severity.MEDIUM
    assert kit.answers(result)[1] == "unknown"


def test_ignored_source(tmp_path: Path) -> None:
    files = {
        "models/w.bin": "1",
        ".dockerignore": "# nothing\nmodels\n",
        "Dockerfile": kit.dockerfile("COPY models ./models"),
    }
    result = kit.service(tmp_path, files)
    (found,) = kit.of(result, "PTH003")
    assert [(r.at.path, r.at.line) for r in found.related] == [(".dockerignore", 2)]
    assert kit.answers(result)[0] == "no"


@pytest.mark.parametrize("rules", ["models\n!models/w.bin\n", "w.bin\n", "*.bin\n"])
def test_sources_that_docker_keeps(rules: str, tmp_path: Path) -> None:
    files = {
        "models/w.bin": "1",
        ".dockerignore": rules,
        **_reads('open("models/w.bin")\n', "COPY models ./models"),
    }
    result = kit.service(tmp_path, files)
    assert not kit.of(result, "PTH003")
    assert kit.answers(result) == ("yes",) * 4


def test_destination_without_workdir(tmp_path: Path) -> None:
    text = kit.dockerfile().replace("WORKDIR /app\n", "")
    assert len(kit.places(kit.service(tmp_path, {"Dockerfile": text}), "PTH004")) == 2


@pytest.mark.parametrize(
    ("volume", "severity"),
    [
        ("./data:data", Severity.HIGH),
        ("./data:/data", None),
        ("./nginx.conf:/etc/nginx.conf", Severity.MEDIUM),
        ("./there.conf:/etc/nginx.conf", None),
        ("./.env:/app/.env", None),
        ("cache:/cache", None),
    ],
)
def test_volumes(volume: str, severity: Severity | None, tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": kit.compose(f'volumes: ["{volume}"]') + "volumes:\n  cache:\n",
        "there.conf": "",
        ".gitignore": ".env\n",
    }
    found = kit.of(kit.service(tmp_path, files), "PTH005")
    assert [f.severity for f in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("path", "reported"),
    [
        ("C:\\\\Users\\\\ana\\\\w.txt", True),
        ("/Users/ana/w.txt", True),
        ("/home/ana/w.txt", True),
        ("/home/app/w.txt", False),
        ("/srv/w.txt", False),
    ],
)
def test_machine_paths(path: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, _reads(f'open("{path}")\n'))
    assert bool(kit.of(result, "PTH006")) is reported


@pytest.mark.parametrize(
    "code",
    [
        "import os\nif os.path.exists(P):\n    open(P)\n",
        "try:\n    open(P)\nexcept FileNotFoundError:\n    pass\n",
        "from pathlib import Path\ndef read():\n    if not Path(P).exists():\n        return []\n"
        "    return open(P)\nread()\n",
    ],
)
def test_machine_paths_that_are_done_without(code: str, tmp_path: Path) -> None:
    result = kit.service(tmp_path, _reads('P = "/Users/ana/w.txt"\n' + code))
    assert not kit.of(result, "PTH006")


def test_a_machine_path_that_is_mounted(tmp_path: Path) -> None:
    files = _reads('open("/home/ana/w.txt")\n', **{"data/w.txt": "1"})
    body = "volumes: ['./data:/home/ana']"
    files["docker-compose.yml"] = kit.compose(body)
    assert not kit.of(kit.service(tmp_path, files), "PTH006")


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ('open("/Users/ana/w.txt", "w")\n', Severity.MEDIUM),
        ('import os\nif os.getpid() == 4:\n    open("/Users/ana/w.txt")\n', Severity.LOW),
    ],
)
def test_machine_paths_that_may_do_no_harm(code: str, severity: Severity, tmp_path: Path) -> None:
    (found,) = kit.of(kit.service(tmp_path, _reads(code)), "PTH006")
    assert found.severity is severity


def test_a_checkpoint_that_a_class_of_the_project_loads(tmp_path: Path) -> None:
    code = (
        "from pytorch_lightning import LightningModule\n\n\n"
        "class Net(LightningModule):\n    pass\n\n\n"
        'model = Net.load_from_checkpoint("/app/models/net.ckpt").eval()\n'
    )
    files = _reads(code)
    files["requirements.txt"] = kit.REQUIREMENTS + "pytorch-lightning==2.4.0\n"
    result = kit.service(tmp_path, files)
    assert kit.places(result, "PTH002") == [("app.py", 8)]
    assert kit.answers(result)[1] == "no"


def test_a_file_of_an_ignored_mount_may_be_on_the_host(tmp_path: Path) -> None:
    """A file of the same name elsewhere in the repository says nothing of the mount."""
    files = _reads('open("/app/data/processed/features.json")\n')
    files["docker-compose.yml"] = kit.compose("volumes: [./data/processed:/app/data/processed]")
    files[".gitignore"] = "data/\n"
    files["bundle/processed/features.json"] = "{}"
    result = kit.service(tmp_path, files)
    (found,) = kit.of(result, "PTH002")
    assert found.severity is Severity.MEDIUM
    assert "on the host first" in found.message
    assert kit.answers(result)[1] == "unknown"


def test_a_mount_of_a_service_that_starts_on_demand(tmp_path: Path) -> None:
    files = _reads('open("/app/models/candidate/w.txt")\n')
    files["models/readme.txt"] = "1"
    files["docker-compose.yml"] = kit.compose("volumes: [./models:/app/models]")
    (found,) = kit.of(kit.service(tmp_path / "always", files), "PTH002")
    assert found.severity is Severity.HIGH
    files["docker-compose.yml"] = kit.compose(
        "profiles: [candidate]\nvolumes: [./models:/app/models]"
    )
    (found,) = kit.of(kit.service(tmp_path / "on-demand", files), "PTH002")
    assert found.severity is Severity.MEDIUM


_PREDICTS = "\n\n@app.post('/score')\ndef score():\n    return model.predict([[1]]).tolist()\n"


def _answers_with(tmp_path: Path, load: str, **more: str) -> tuple[str, ...]:
    files = {
        "app.py": f"import joblib\nimport mlflow\nfrom pathlib import Path\n{kit.APP}\n{load}{_PREDICTS}",
        "Dockerfile": kit.dockerfile("COPY m* ./\n"),
        "requirements.txt": kit.REQUIREMENTS + "mlflow==2.16.2\njoblib==1.4.2\n",
        "mine.txt": "",
        **more,
    }
    return kit.answers(kit.service(tmp_path, files))


def test_a_model_of_a_registry_is_not_known_to_be_there(tmp_path: Path) -> None:
    load = "model = mlflow.pyfunc.load_model('models:/churn@production')\n"
    assert _answers_with(tmp_path / "certain", load)[1] == "unknown"
    load = "try:\n    model = mlflow.pyfunc.load_model('models:/churn/1')\nexcept Exception:\n    model = None\n"
    assert _answers_with(tmp_path / "tried", load)[1::2] == ("yes", "unknown")


def test_code_that_goes_on_without_a_model_may_not_predict(tmp_path: Path) -> None:
    load = "model = joblib.load('m.pkl') if Path('m.pkl').exists() else None\n"
    assert _answers_with(tmp_path / "absent", load)[1::2] == ("yes", "unknown")
    several = "try:\n    model = joblib.load('n.pkl')\nexcept OSError:\n    model = joblib.load('m.pkl')\n"
    assert _answers_with(tmp_path / "second", several, **{"m.pkl": "1"})[3] == "yes"


def test_a_workload_whose_image_is_not_linked_may_mount_it(tmp_path: Path) -> None:
    files = _reads('import os\nos.listdir("/pdfs")\n')
    assert kit.of(kit.service(tmp_path / "alone", files), "PTH002")
    files["k8s/deployment.yaml"] = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: rag}\nspec:\n"
        "  selector: {matchLabels: {app: rag}}\n  template:\n"
        "    metadata: {labels: {app: rag}}\n    spec:\n      volumes: [{name: pdfs, emptyDir: {}}]\n"
        "      containers:\n      - name: rag\n        image: 'registry.example.com/else:1.0'\n"
        "        volumeMounts: [{name: pdfs, mountPath: /pdfs}]\n"
    )
    assert not kit.of(kit.service(tmp_path / "mounted", files), "PTH002")


def test_the_engine_makes_the_directory_that_it_mounts(tmp_path: Path) -> None:
    code = 'import sqlite3\nsqlite3.connect("logs/a.db")\n'
    assert kit.of(kit.service(tmp_path / "alone", _reads(code)), "PTH007")
    files = _reads(code)
    files["docker-compose.yml"] = kit.compose("volumes: [./logs:/app/logs]")
    assert not kit.of(kit.service(tmp_path / "mounted", files), "PTH007")
    made = 'import os, sqlite3\nos.makedirs("logs", exist_ok=True)\nsqlite3.connect("logs/a.db")\n'
    assert not kit.of(kit.service(tmp_path / "made", _reads(made)), "PTH007")


def test_what_an_earlier_program_of_the_command_wrote(tmp_path: Path) -> None:
    files = _reads("", "COPY *.py ./\n")
    files["prepare.py"] = 'open("/app/x.txt", "w").write("1")\n'
    files["train.py"] = 'open("/app/x.txt")\n'
    command = 'CMD ["sh", "-c", "python prepare.py && python train.py"]\n'
    files["Dockerfile"] = kit.dockerfile("COPY *.py ./\n").replace(f"CMD {kit.GUNICORN}\n", command)
    assert not kit.of(kit.service(tmp_path / "both", files), "PTH002")
    files["Dockerfile"] = files["Dockerfile"].replace("python prepare.py && ", "")
    assert kit.of(kit.service(tmp_path / "one", files), "PTH002")


def test_an_object_store_fetches_the_file(tmp_path: Path) -> None:
    code = (
        "import os\nfrom minio import Minio\nos.makedirs('artifacts', exist_ok=True)\n"
        "client = Minio('minio:9000')\n"
        "client.fget_object('models', 'm.joblib', file_path='artifacts/m.joblib')\n"
        "open('artifacts/m.joblib')\n"
    )
    files = _reads(code)
    files["requirements.txt"] = kit.REQUIREMENTS + "minio==7.2.9\n"
    assert not kit.of(kit.service(tmp_path / "fetched", files), "PTH002")
    files["app.py"] = files["app.py"].replace("client.fget_object", "client.stat_object")
    assert kit.of(kit.service(tmp_path / "asked", files), "PTH002")
