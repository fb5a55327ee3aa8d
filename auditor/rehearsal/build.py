"""Building the deployment's images by the docker CLI, under names and labels of the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from auditor import lazy_re as re
from auditor.rehearsal import causes
from auditor.rehearsal.engine import Builder, build_environment
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import Build, Cause
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage

_KEPT: Final = 2_000
_LAYER = re.compile(r"^ ---> ([0-9a-f]{12})$")
_FRONTEND = re.compile(r"docker/dockerfile")

Progress = Callable[[str], None]


@value
class Recipe:
    """What is built: paths are relative to the root; ``None`` arguments stay the Dockerfile's."""

    dockerfile: str
    context: str
    target: str | None = None
    arguments: tuple[tuple[str, str], ...] = ()


def recipe_of(image: BuiltImage) -> Recipe:
    """How the repository builds this image; arguments that are not known are left to defaults."""
    return Recipe(
        dockerfile=image.dockerfile.path,
        context=image.context,
        target=image.key.partition("#")[2] or None,
        arguments=tuple((k, v) for k, v in image.build_args if isinstance(v, str)),
    )


@value
class Built:
    """A build's outcome, and the name under which the engine has the image."""

    build: Build
    tag: str | None = None


def build(
    run: Run,
    builder: Builder,
    root: Path,
    recipe: Recipe,
    *,
    name: str,
    fresh: bool = False,
    timeout: float = 1800.0,
    progress: Progress | None = None,
) -> Built:
    """Build one image. ``fresh`` uses no cache. Never raises for what the build does."""
    tag = f"{run.name(name)}:rehearsal"
    run.record("image", tag)
    dockerfile = root / recipe.dockerfile
    started = time.monotonic()
    code, log = _run(run, builder, root, recipe, dockerfile, tag, fresh, timeout, progress)
    if code and builder.buildkit and _FRONTEND.search(log):
        # Its `# syntax=` line asks for a frontend from a registry that cannot be reached.
        copy = _without_syntax(run, dockerfile)
        code, log = _run(run, builder, root, recipe, copy, tag, fresh, timeout, progress)
    seconds = round(time.monotonic() - started, 1)
    label = recipe.dockerfile + (f"#{recipe.target}" if recipe.target else "")
    if code is None:
        cause = Cause(
            kind="timeout",
            text=f"the build did not end within {timeout:.0f} s",
            tail=causes.tail_of(causes.lines_of(log)),
        )
        made = Build(image=label, ok=None, seconds=seconds, builder=builder.label, cause=cause)
        return Built(build=made)
    if code:
        outside, cause = causes.of_build(log)
        ok = None if outside else False
        made = Build(image=label, ok=ok, seconds=seconds, builder=builder.label, cause=cause)
        return Built(build=made)
    size, layers = _layers(run.client, tag)
    made = Build(
        image=label, ok=True, seconds=seconds, builder=builder.label, size=size, layers=layers
    )
    return Built(build=made, tag=tag)


def _run(
    run: Run,
    builder: Builder,
    root: Path,
    recipe: Recipe,
    dockerfile: Path,
    tag: str,
    fresh: bool,
    timeout: float,
    progress: Progress | None,
) -> tuple[int | None, str]:
    """(exit status, output); None when it took too long."""
    command = [builder.program, "build", "--tag", tag, "--file", str(dockerfile)]
    for key, text in run.labels.items():
        command += ["--label", f"{key}={text}"]
    if recipe.target:
        command += ["--target", recipe.target]
    for key, text in recipe.arguments:
        command += ["--build-arg", f"{key}={text}"]
    if fresh:
        command.append("--no-cache")
    if not builder.buildkit:
        command.append("--force-rm")
    command.append(str(root / recipe.context))
    with run.shielded():
        process = subprocess.Popen(
            command,
            env=build_environment(builder.buildkit),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=root,
        )
        run.on_close(lambda: _kill(process))
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    kept: list[str] = []
    try:
        assert process.stdout is not None
        with process.stdout:
            layers = _Layers(run)
            for raw in process.stdout:
                line = raw[:4_000].decode("utf-8", "replace").rstrip("\r\n")
                kept.append(line)
                if len(kept) > _KEPT:
                    # The beginning says little; the error is at the end.
                    del kept[: _KEPT // 2]
                layers.see(line)
                if progress is not None:
                    progress(line)
        code = process.wait()
    finally:
        timer.cancel()
        _kill(process)
    return (None if late.is_set() else code), "\n".join(kept)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the CLI and what it started; the engine then gives the build up."""
    if process.poll() is not None:
        return
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


class _Layers:
    """Writes down the layers that the classic builder makes, which carry no label."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.base = self.cached = False

    def see(self, line: str) -> None:
        if line.startswith("Step "):
            self.base = " : FROM " in line
            self.cached = False
        elif line == " ---> Using cache":
            self.cached = True
        elif match := _LAYER.match(line):
            if not self.base and not self.cached:
                self.run.record("layer", match[1])
            self.cached = False


def _without_syntax(run: Run, dockerfile: Path) -> Path:
    text = dockerfile.read_text("utf-8", "surrogateescape")
    copy = run.temporary / f"{dockerfile.name}.builtin"
    copy.write_text(
        re.sub(r"\A(\s*#[^\n]*\n)*?\s*#\s*syntax\s*=[^\n]*\n", "", text), "utf-8", "surrogateescape"
    )
    ignore = dockerfile.with_name(dockerfile.name + ".dockerignore")
    if ignore.is_file():
        copy.with_name(copy.name + ".dockerignore").write_bytes(ignore.read_bytes())
    return copy


def _layers(client: Any, tag: str) -> tuple[int | None, tuple[tuple[int, str], ...]]:
    try:
        size = int(client.inspect_image(tag).get("Size", 0))
        history = client.history(tag)
    except Exception:
        return None, ()
    found = [
        (int(item.get("Size") or 0), _instruction(str(item.get("CreatedBy") or "")))
        for item in history
        if item.get("Size")
    ]
    return size, tuple(sorted(found, key=lambda layer: -layer[0])[:20])


def _instruction(text: str) -> str:
    text = re.sub(r"^/bin/sh -c #\(nop\)\s+", "", text)
    text = re.sub(r"^(?:\|\d+ .*?)?/bin/sh -c ", "RUN ", text)
    return " ".join(text.removesuffix("# buildkit").split())[:120]


def unique(recipes: Iterable[Recipe]) -> tuple[Recipe, ...]:
    """Each recipe once, in order."""
    return tuple(dict.fromkeys(recipes))
