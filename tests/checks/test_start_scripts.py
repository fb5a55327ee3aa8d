"""What start scripts ask of the image and of their variables, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_start_chain import breaking, recipe, run

SERVE = "exec gunicorn -b 0.0.0.0:8000 app:app\n"


def started(tmp_path: Path, body: str, head: str = "#!/bin/sh\n", more: str = "") -> set[str]:
    files = {
        "start.sh": f"{head}{body}{SERVE}",
        "env.sh": "LOG=info\n",
        "Dockerfile": recipe('["./start.sh"]', "RUN chmod +x start.sh\n" + more),
    }
    return breaking(run(tmp_path, files))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("until nc -z db 5432; do sleep 1; done\n", True),
        ("while ! nc -z db 5432; do sleep 1; done\n", True),
        ("while nc -z db 5432; do sleep 1; done\n", False),
        ("until nc -z db 5432; do sleep 1; break; done\n", False),
        ("until nc -z db 5432 || [ -f x ]; do sleep 1; done\n", False),
        ("until python -c 'import flask'; do sleep 1; done\n", False),
        ("until test -f /tmp/ready; do sleep 1; done\n", False),
    ],
)
def test_loops_that_wait(tmp_path: Path, body: str, found: bool) -> None:
    assert ("IMG018" in started(tmp_path, body)) is found
    assert ("IMG018" in started(tmp_path / "strict", f"set -e\n{body}")) is found


def test_a_condition_is_not_fatal(tmp_path: Path) -> None:
    body = "set -e\nif pg_isready; then echo up; fi\n! pg_isready\n"
    assert started(tmp_path, body) == set()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('set -u\necho "$WORKERS"\n', True),
        ('set -o nounset\nX="$WORKERS"\n', True),
        ('echo "$WORKERS"\n', False),
        ('set -u\necho "${WORKERS:-2}"\n', False),
        ('set -u\nWORKERS=2\necho "$WORKERS"\n', False),
        ('set -u\n. ./env.sh\necho "$WORKERS"\n', False),
        ('set -u\nread WORKERS\necho "$WORKERS"\n', False),
        ('set -u\nexport $(cat .env)\necho "$WORKERS"\n', False),
        ('set -u\necho "$HOME $1"\n', False),
        ('set -u\nset +u\necho "$WORKERS"\n', False),
        ('set -u\nif [ -f x ]; then echo "$WORKERS"; fi\n', False),
    ],
)
def test_unset_variables(tmp_path: Path, body: str, found: bool) -> None:
    assert ("IMG012" in started(tmp_path, body)) is found


def test_a_variable_that_the_image_sets(tmp_path: Path) -> None:
    body = 'set -u\necho "$WORKERS"\n'
    assert "IMG012" not in started(tmp_path, body, more="ENV WORKERS=2\n")


@pytest.mark.parametrize(
    ("head", "found"),
    [("#!/bin/sh\nset -e\n", True), ("#!/bin/bash\nset -e\n", False), ("#!/bin/sh\n", False)],
    ids=["dash", "bash", "tolerated"],
)
def test_words_of_bash(tmp_path: Path, head: str, found: bool) -> None:
    assert ("IMG018" in started(tmp_path, "source ./env.sh\n", head)) is found


@pytest.mark.parametrize(("word", "rules"), [("serve", set()), ("sevre", {"IMG018"})])
def test_the_word_that_a_script_is_given(tmp_path: Path, word: str, rules: set[str]) -> None:
    script = (
        f'#!/bin/sh\nset -e\ncase "$1" in\n  serve) {SERVE.strip()} ;;\n  *) exec "$@" ;;\nesac\n'
    )
    dockerfile = recipe(f'["{word}"]', 'ENTRYPOINT ["sh", "entry.sh"]\n')
    assert breaking(run(tmp_path, {"entry.sh": script, "Dockerfile": dockerfile})) == rules


@pytest.mark.parametrize(
    ("user", "rules"),
    [
        ("RUN useradd scorer\nUSER scorer\n", {"IMG011"}),
        ("RUN useradd -rms /bin/sh scorer\nUSER scorer\n", set()),
        ("RUN useradd -m -u 1500 scorer\nUSER 1500\n", set()),
        ("RUN adduser --disabled-password scorer\nUSER scorer\n", set()),
        ("RUN adduser --system scorer\nUSER scorer\n", set()),
        ("RUN useradd scorer && mkdir /home/scorer\nUSER scorer\n", set()),
        ("", set()),
    ],
)
def test_homes(tmp_path: Path, user: str, rules: set[str]) -> None:
    app = (
        "from pathlib import Path\nfrom flask import Flask\n"
        '(Path.home() / ".cache").mkdir(exist_ok=True)\napp = Flask(__name__)\n'
    )
    assert breaking(run(tmp_path, {"app.py": app, "Dockerfile": recipe(more=user)})) == rules


@pytest.mark.parametrize(
    ("requirements", "found"),
    [
        ("flask==3.0.3\ngunicorn==22.0.0\nwerkzeug==2.0.3\n", True),
        # Between two recorded releases that ask for the same.
        ("flask==3.0.1\ngunicorn==22.0.0\nwerkzeug==2.0.3\n", True),
        ("flask==3.0.3\ngunicorn==22.0.0\nwerkzeug==3.0.4\n", False),
        ("flask==3.0.3\ngunicorn==22.0.0\nwerkzeug>=2\n", False),
    ],
)
def test_pins_against_requirements(tmp_path: Path, requirements: str, found: bool) -> None:
    result = run(tmp_path, {"requirements.txt": requirements})
    assert ("ENV008" in breaking(result)) is found


def test_pins_of_two_commands_do_not_meet(tmp_path: Path) -> None:
    dockerfile = recipe(more="RUN pip install werkzeug==2.0.3\n")
    assert "ENV008" not in breaking(run(tmp_path, {"Dockerfile": dockerfile}))
