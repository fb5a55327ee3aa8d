"""Command lines that install Python distributions or system packages."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.parsers.commands.facts import Fact, Option, Package, PipInstall, SystemInstall, Venv
from auditor.parsers.commands.options import Scanned, scan
from auditor.parsers.commands.wrappers import base_name
from auditor.parsers.shell.expansion import Value
from auditor.parsers.shell.facts import Arg


def _table(text: str) -> dict[str, str]:
    """``flag=name`` words; the name is the flag's own when it is not said."""
    pairs = [word.partition("=") for word in text.split()]
    return {flag: name or flag.lstrip("-").replace("-", "_") for flag, _, name in pairs}


# --- pip ---------------------------------------------------------------------------------------

# pip/_internal/cli/cmdoptions.py and commands/install.py, download.py, wheel.py (pip 25)
_PIP_VALUES = _table(
    "-r=requirement --requirement -c=constraint --constraint -e=editable --editable "
    "--build-constraint -t=target --target --platform --python-version --implementation --abi "
    "--root --prefix -b=build --build --src --upgrade-strategy -C=config_settings "
    "--config-settings --config-setting=config_settings --global-option --install-option "
    "--no-binary --only-binary --progress-bar --root-user-action --report --cache-dir "
    "-i=index_url --index-url --pypi-url=index_url --extra-index-url -f=find_links --find-links "
    "--trusted-host --timeout --default-timeout=timeout --retries --proxy --cert --client-cert "
    "--log --log-file=log --local-log=log --python --keyring-provider --exists-action "
    "--use-feature --use-deprecated -d=dest --dest --download-cache --download=dest -w=wheel_dir "
    "--wheel-dir --only-deps --group --process-dependency-links=ignored --uploaded-prior-to"
)
_PIP_SWITCHES = _table(
    "-U=upgrade --upgrade --force-reinstall -I=ignore_installed --ignore-installed --no-deps "
    "--no-dependencies=no_deps --user --no-user --pre --require-hashes --no-index --no-cache-dir "
    "--no-cache=no_cache_dir --no-compile --no-build-isolation --use-pep517 --no-use-pep517 "
    "--prefer-binary --no-clean --no-warn-script-location --no-warn-conflicts --dry-run "
    "--break-system-packages --ignore-requires-python --check-build-dependencies --compile "
    "--disable-pip-version-check --no-input --isolated --require-virtualenv --debug -q=quiet "
    "--quiet -v=verbose --verbose -h=help --help -V=version --version --no-color -y=yes --yes "
    "--no-python-version-warning --egg --no-verify"
)
_PIP_ACTIONS = {"install": "install", "download": "download", "wheel": "wheel"}
_PIP_ACTIONS |= {"uninstall": "uninstall"}

_UV_VALUES = _PIP_VALUES | _table(
    "-p=python --python --extra --group --only-group --no-group --override --overrides=override "
    "--exclude-newer --index --default-index=index_url --index-strategy --resolution --prerelease "
    "--link-mode --cache-dir --project --directory --package --python-platform --torch-backend "
    "-o=output --output-file=output --no-extra --format --refresh-package --reinstall-package "
    "-P=upgrade_package --upgrade-package --config-file --no-build-package --no-binary-package "
    "--allow-insecure-host=trusted_host --fork-strategy --no-install-package --color --env-file "
    "--python-preference --keyring-provider -x=extra"
)
del _UV_VALUES["-t"], _UV_VALUES["--no-binary"], _UV_VALUES["--only-binary"]
_UV_VALUES |= _table("--no-binary --only-binary -t=target")
_UV_SWITCHES = _PIP_SWITCHES | _table(
    "--system --frozen --locked --no-dev --dev --only-dev --all-extras --all-groups "
    "--no-default-groups --all-packages --no-install-project --no-install-workspace "
    "--no-install-local --no-editable --inexact --exact --compile-bytecode --no-compile-bytecode "
    "-n=no_cache_dir --no-sources --no-build --no-progress --active --native-tls --offline "
    "--no-config --reinstall --refresh --managed-python --no-managed-python --seed --no-sync "
    "--preview --strict --relocatable --clear --no-python-downloads --universal "
    "--generate-hashes --no-header --no-annotate --no-emit-project --no-hashes --no-python"
)


def _path_like(text: str) -> bool:
    if "://" in text or text.startswith(("git+", "hg+", "svn+", "bzr+")):
        return False
    head = text.partition("[")[0]
    if " @ " in text or text.partition("[")[2].partition("]")[2].lstrip().startswith("@"):
        return False
    return (
        head.startswith((".", "/", "~"))
        or "/" in head
        or text.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2"))
    )


def _pip_fact(
    tool: str,
    action: str,
    program: Arg,
    scanned: Scanned,
    argv: Sequence[Arg],
    words: Sequence[Arg],
    python: Value | None = None,
) -> PipInstall:
    requirements = tuple(w for w in words if not _path_like(w.text) or not w.text)
    local = tuple(w for w in words if w.text and _path_like(w.text))
    index = tuple(
        o
        for o in scanned.options
        if o.name in {"index_url", "extra_index_url", "find_links", "index"}
        and not isinstance(o.value, bool)
    )
    dev: bool | None = None
    if scanned.on("no_dev") or scanned.on("production"):
        dev = False
    elif scanned.on("dev") or scanned.on("only_dev"):
        dev = True
    return PipInstall(
        tool=tool,
        action=action,
        at=program.at,
        argv=tuple(argv),
        requirements=requirements,
        requirement_files=scanned.all("requirement"),
        constraint_files=scanned.all("constraint"),
        editable=scanned.all("editable"),
        local_paths=local,
        index_urls=index,
        trusted_hosts=scanned.all("trusted_host"),
        no_index=scanned.on("no_index"),
        no_deps=scanned.on("no_deps"),
        require_hashes=scanned.on("require_hashes"),
        upgrade=scanned.on("upgrade"),
        pre=scanned.on("pre"),
        user=scanned.on("user"),
        target=scanned.value("target"),
        prefix=scanned.value("prefix", "root"),
        python=scanned.value("python") or python,
        system=scanned.on("system"),
        groups=_listed(scanned, "group"),
        only_groups=_listed(scanned, "only_group"),
        without_groups=_listed(scanned, "no_group"),
        extras=_listed(scanned, "extra"),
        all_extras=scanned.on("all_extras"),
        dev=dev,
        no_root=scanned.on("no_root") or scanned.on("no_install_project"),
        frozen=scanned.on("frozen"),
        locked=scanned.on("locked"),
        output=scanned.value("output", "dest", "wheel_dir"),
        no_cache=scanned.on("no_cache_dir"),
        options=tuple(scanned.options),
    )


def _listed(scanned: Scanned, name: str) -> tuple[Value, ...]:
    """The values of a repeatable option, each of which may be a list ``a,b`` or ``a b``."""
    found: list[Value] = []
    for arg in scanned.all(name):
        if isinstance(arg.value, str):
            found += arg.value.replace(",", " ").split()
        else:
            found.append(arg.value)
    return tuple(found)


def pip(
    program: Arg, rest: Sequence[Arg], argv: Sequence[Arg], python: Value | None
) -> Fact | None:
    """``pip …`` (``python`` is the interpreter of ``python -m pip``)."""
    if python is None and "/" in program.text:
        # /opt/venv/bin/pip installs into its own environment.
        python = program.text.rsplit("/", 1)[0] + "/python"
    scanned = scan(rest, values=_PIP_VALUES, switches=_PIP_SWITCHES)
    if not scanned.words:
        return None
    action = _PIP_ACTIONS.get(scanned.words[0].text)
    if action is None or scanned.on("help"):
        return None
    return _pip_fact("pip", action, program, scanned, argv, scanned.words[1:], python)


def uv(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``uv pip install|sync``, ``uv sync``, ``uv venv``, ``uv export``, ``uv tool install``."""
    scanned = scan(rest, values=_UV_VALUES, switches=_UV_SWITCHES)
    words = scanned.words
    first = words[0].text if words else ""
    second = words[1].text if len(words) > 1 else ""
    if first == "pip" and second in {"install", "uninstall"}:
        return _pip_fact("uv", second, program, scanned, argv, words[2:])
    if first == "pip" and second == "sync":
        scanned.options += [
            # Its words are requirement files.
            _option("requirement", word)
            for word in words[2:]
        ]
        return _pip_fact("uv", "install", program, scanned, argv, ())
    if first == "pip" and second == "compile":
        scanned.options += [_option("requirement", word) for word in words[2:]]
        return _pip_fact("uv", "lock", program, scanned, argv, ())
    if first in {"sync", "export", "lock"}:
        return _pip_fact("uv", first, program, scanned, argv, ())
    if first == "add":
        return _pip_fact("uv", "install", program, scanned, argv, words[1:])
    if first == "tool" and second == "install":
        return _pip_fact("uv-tool", "install", program, scanned, argv, words[2:])
    if first == "venv":
        return Venv(
            tool="uv",
            at=program.at,
            path=words[1].value if len(words) > 1 else ".venv",
            python=scanned.value("python"),
            system_site_packages=scanned.on("system_site_packages"),
        )
    return None


def _option(name: str, word: Arg) -> Option:
    return Option(name=name, value=word.value, at=word.at, pieces=word.pieces)


_POETRY_VALUES = _table(
    "--with=group --without=no_group --only=only_group -E=extra --extras=extra -C=directory "
    "--directory -P=project --project -f=format --format -o=output --output -G=group --group "
    "--python --source --no-cache-option"
)
_POETRY_SWITCHES = _table(
    "--no-dev --dev --dev-only=only_dev --no-root --sync --all-extras --all-groups "
    "--without-hashes --without-urls --with-credentials -n=no_interaction --no-interaction "
    "--no-ansi --no-cache=no_cache_dir --compile --no-directory --only-root --dry-run -q=quiet "
    "-v=verbose -vv=verbose -vvv=verbose --no-plugins --remove-untracked -D=dev --allow-prereleases"
)


def poetry(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``poetry install|sync|export|add|lock``."""
    scanned = scan(rest, values=_POETRY_VALUES, switches=_POETRY_SWITCHES)
    first = scanned.words[0].text if scanned.words else ""
    actions = {"install": "sync", "sync": "sync", "export": "export", "add": "install"}
    actions |= {"lock": "lock", "update": "sync"}
    if first not in actions:
        return None
    words = scanned.words[1:] if first == "add" else ()
    return _pip_fact("poetry", actions[first], program, scanned, argv, words)


_PDM_VALUES = _table(
    "-G=group --group --with=group --without=no_group -p=project --project -L=lockfile "
    "--lockfile -f=format --format -o=output --output --venv -x=exclude"
)
_PDM_SWITCHES = _table(
    "--prod=production --production --dev -d=dev --no-default --no-self=no_root --no-lock "
    "--frozen-lockfile=frozen --no-editable --check -g=global --global --no-isolation -v=verbose "
    "--without-hashes --no-hashes=without_hashes --fail-fast -q=quiet"
)


def pdm(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``pdm install|sync|export|add|lock``."""
    scanned = scan(rest, values=_PDM_VALUES, switches=_PDM_SWITCHES)
    first = scanned.words[0].text if scanned.words else ""
    actions = {"install": "sync", "sync": "sync", "export": "export", "add": "install"}
    actions |= {"lock": "lock", "update": "sync"}
    if first not in actions:
        return None
    words = scanned.words[1:] if first == "add" else ()
    return _pip_fact("pdm", actions[first], program, scanned, argv, words)


_PIPENV_VALUES = _table(
    "-r=requirement --requirements=requirement -i=index_url --index=index_url -e=editable "
    "--editable --python --pypi-mirror=index_url --categories=group --extra-index-url "
    "--extra-pip-args"
)
_PIPENV_SWITCHES = _table(
    "--system --deploy=locked --ignore-pipfile=frozen -d=dev --dev --dev-only=only_dev "
    "--skip-lock --site-packages --pre --three --two --clear --verbose -v=verbose --keep-outdated "
    "--sequential --hash --exclude-markers"
)


def pipenv(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``pipenv install|sync|requirements|lock``."""
    scanned = scan(rest, values=_PIPENV_VALUES, switches=_PIPENV_SWITCHES)
    words = scanned.words
    first = words[0].text if words else ""
    if first in {"install", "sync"}:
        action = "install" if len(words) > 1 or scanned.all("requirement") else "sync"
        return _pip_fact("pipenv", action, program, scanned, argv, words[1:])
    if first == "requirements":
        return _pip_fact("pipenv", "export", program, scanned, argv, ())
    if first == "lock":
        return _pip_fact("pipenv", "lock", program, scanned, argv, ())
    return None


_CONDA_VALUES = _table(
    "-n=name --name -p=prefix --prefix -c=channel --channel -f=file --file --repodata-fn "
    "--solver --experimental-solver=solver --subdir --platform -r=root --root-prefix "
    "--channel-priority -e=file"
)
_CONDA_SWITCHES = _table(
    "-y=yes --yes -q=quiet --quiet --override-channels --freeze-installed=freeze --no-deps "
    "--only-deps --prune --force -S=satisfied --update-all --all -a=all --copy --json -d=dry_run "
    "--dry-run --offline --no-pin --strict-channel-priority -k=insecure --insecure --clone "
    "-v=verbose --debug --force-reinstall --no-default-packages --no-channel-priority --use-local "
    "--update-deps --use-index-cache -C=use_index_cache --pyc --no-pyc --no-py-pin"
)


def conda(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``conda|mamba|micromamba install|create|update|env create|env update|remove``."""
    tool = base_name(program)
    scanned = scan(rest, values=_CONDA_VALUES, switches=_CONDA_SWITCHES)
    words = scanned.words
    first = words[0].text if words else ""
    second = words[1].text if len(words) > 1 else ""
    if first == "env" and second in {"create", "update"}:
        action, packages = f"env-{second}", words[2:]
    elif first in {"install", "update", "upgrade"}:
        action, packages = "install", words[1:]
    elif first == "create":
        action, packages = "env-create", words[1:]
    elif first in {"remove", "uninstall"}:
        action, packages = "uninstall", words[1:]
    else:
        return None
    files = scanned.all("file")
    if first == "env" and not files:
        # The default file, and old conda's positional form.
        files = tuple(packages) or (Arg(value="environment.yml", at=program.at),)
        packages = []
    return PipInstall(
        tool=tool,
        action=action,
        at=program.at,
        argv=tuple(argv),
        requirements=tuple(packages),
        requirement_files=files,
        no_deps=scanned.on("no_deps"),
        target=scanned.value("name"),
        prefix=scanned.value("prefix"),
        channels=scanned.all("channel"),
        options=tuple(scanned.options),
    )


_COMPILE_VALUES = _PIP_VALUES | _table(
    "-o=output --output-file=output --extra --resolver --annotation-style --pip-args "
    "--unsafe-package -P=upgrade_package --upgrade-package --config --allow-unsafe-option"
)


def pip_tools(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``pip-sync`` and ``pip-compile``."""
    compiles = base_name(program) == "pip-compile"
    switches = _PIP_SWITCHES | _table(
        "--generate-hashes --allow-unsafe --strip-extras --all-extras"
    )
    scanned = scan(rest, values=_COMPILE_VALUES, switches=switches)
    default = "requirements.in" if compiles else "requirements.txt"
    words = scanned.words or [Arg(value=default, at=program.at)]
    scanned.options += [_option("requirement", word) for word in words]
    return _pip_fact("pip-tools", "lock" if compiles else "install", program, scanned, argv, ())


def venv(program: Arg, rest: Sequence[Arg], tool: str, python: Value | None) -> Fact | None:
    """``python -m venv path`` and ``virtualenv path``."""
    values = _table("--prompt -p=python --python --app-data --seeder --discovery")
    switches = _table(
        "--system-site-packages --symlinks --copies --clear --upgrade --without-pip "
        "--upgrade-deps --no-download --always-copy -q=quiet"
    )
    scanned = scan(rest, values=values, switches=switches)
    if not scanned.words:
        return None
    return Venv(
        tool=tool,
        at=program.at,
        path=scanned.words[0].value,
        python=scanned.value("python") or python,
        system_site_packages=scanned.on("system_site_packages"),
    )


# --- system packages ---------------------------------------------------------------------------

_APT_VALUES = _table(
    "-o=option --option -t=release --target-release --default-release=release -c=config --config-file -a=arch"
)
_APT_SWITCHES = _table(
    "-y=yes --yes --assume-yes=yes -q=quiet --quiet -qq=quiet --no-install-recommends "
    "--install-recommends --install-suggests --no-install-suggests -f=fix --fix-broken "
    "--fix-missing -m=fix_missing --allow-unauthenticated --force-yes --purge --auto-remove "
    "--allow-downgrades --allow-change-held-packages --allow-releaseinfo-change --reinstall "
    "-d=download_only --download-only -s=simulate --no-upgrade --only-upgrade -V=verbose -u=show"
)
_APT_ACTIONS = {
    "install": "install",
    "update": "update",
    "upgrade": "upgrade",
    "dist-upgrade": "upgrade",
    "full-upgrade": "upgrade",
    "remove": "remove",
    "purge": "purge",
    "autoremove": "autoremove",
    "autopurge": "autoremove",
    "clean": "clean",
    "autoclean": "clean",
    "build-dep": "build-dep",
    "reinstall": "install",
}


def _package(arg: Arg, separators: str = "=") -> Package:
    if not isinstance(arg.value, str):
        # `pkg=$VERSION`: the name is known even so.
        head = arg.pieces[0] if arg.pieces and isinstance(arg.pieces[0], str) else ""
        name = head.partition("=")[0]
        return Package(name=name if name and "=" in head else arg.value, at=arg.at)
    text = arg.value
    cut = next((i for i, char in enumerate(text) if char in separators), len(text))
    return Package(name=text[:cut], at=arg.at, version=text[cut:] or None)


def apt(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``apt-get`` and ``apt``."""
    scanned = scan(rest, values=_APT_VALUES, switches=_APT_SWITCHES)
    if not scanned.words:
        return None
    action = _APT_ACTIONS.get(scanned.words[0].text)
    if action is None:
        return None
    recommends = not scanned.on("no_install_recommends")
    for option in scanned.options:
        text = option.value if isinstance(option.value, str) else ""
        key, _, value = text.partition("=")
        if key.lower() == "apt::install-recommends":
            recommends = value.strip("\"' ").lower() not in {"0", "false", "no"}
    words = scanned.words[1:]
    files = tuple(w for w in words if w.text.endswith(".deb") or w.text.startswith(("./", "/")))
    packages: list[Package] = []
    for word in words:
        if word in files:
            continue
        package = _package(word, "=/")
        packages.append(package)
    return SystemInstall(
        manager="apt",
        action=action,
        at=program.at,
        argv=tuple(argv),
        packages=tuple(packages),
        files=files,
        recommends=recommends,
        updates_lists=action == "update",
        assume_yes=scanned.on("yes")
        # Quiet level 2 implies it.
        or any(o.flag == "-qq" for o in scanned.options)
        or len([o for o in scanned.options if o.flag == "-q"]) > 1,
        release=scanned.value("release"),
    )


def apk(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``apk add|del|update|upgrade``."""
    values = _table(
        "-t=virtual --virtual -X=repository --repository -p=root --root --arch --keys-dir --wait "
        "--repositories-file --cache-dir --timeout"
    )
    switches = _table(
        "--no-cache -U=update_cache --update-cache --update=update_cache -u=upgrade --upgrade "
        "--no-scripts -q=quiet --allow-untrusted --initdb --force -f=force --purge --force-overwrite"
    )
    scanned = scan(rest, values=values, switches=switches)
    if not scanned.words:
        return None
    actions = {"add": "install", "del": "remove", "update": "update", "upgrade": "upgrade"}
    action = actions.get(scanned.words[0].text)
    if action is None:
        return None
    words = scanned.words[1:]
    return SystemInstall(
        manager="apk",
        action=action,
        at=program.at,
        argv=tuple(argv),
        packages=tuple(_package(w, "=<>~@") for w in words if not w.text.endswith(".apk")),
        files=tuple(w for w in words if w.text.endswith(".apk")),
        recommends=False,
        updates_lists=action == "update" or scanned.on("no_cache") or scanned.on("update_cache"),
        assume_yes=True,
        virtual=scanned.value("virtual"),
    )


def rpm_like(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``dnf``, ``yum``, ``microdnf``, ``zypper``."""
    values = _table(
        "--setopt --enablerepo --disablerepo --repo --repoid=repo --releasever --installroot "
        "-x=exclude --exclude -c=config --config --disableplugin --enableplugin --from -r=repo"
    )
    switches = _table(
        "-y=yes --assumeyes=yes -q=quiet --quiet --nodocs --allowerasing --best --nobest "
        "--skip-broken --nogpgcheck --no-install-weak-deps --no-recommends -n=yes "
        "--non-interactive=yes --refresh --no-gpg-checks --auto-agree-with-licenses"
    )
    scanned = scan(rest, values=values, switches=switches)
    if not scanned.words:
        return None
    actions = {
        "install": "install",
        "in": "install",
        "localinstall": "install",
        "groupinstall": "install",
        "reinstall": "install",
        "update": "upgrade",
        "upgrade": "upgrade",
        "up": "upgrade",
        "makecache": "update",
        "refresh": "update",
        "ref": "update",
        "remove": "remove",
        "erase": "remove",
        "rm": "remove",
        "autoremove": "autoremove",
        "clean": "clean",
    }
    action = actions.get(scanned.words[0].text)
    if action is None:
        return None
    words = scanned.words[1:]
    files = tuple(w for w in words if w.text.endswith(".rpm"))
    settings = [o.value for o in scanned.options if o.name == "setopt"]
    weak = any(
        isinstance(s, str)
        and s.replace(" ", "").lower() in {"install_weak_deps=0", "install_weak_deps=false"}
        for s in settings
    )
    return SystemInstall(
        manager=base_name(program),
        action=action,
        at=program.at,
        argv=tuple(argv),
        packages=tuple(_package(w, "=<>") for w in words if w not in files),
        files=files,
        recommends=not (weak or scanned.on("no_recommends") or scanned.on("no_install_weak_deps")),
        updates_lists=True,
        assume_yes=scanned.on("yes"),
    )


def dpkg(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``dpkg -i file.deb``, ``dpkg -r/-P name``; ``rpm -i``."""
    manager = base_name(program)
    text = " ".join(arg.text for arg in rest if arg.text.startswith("-"))
    words = [arg for arg in rest if not arg.text.startswith("-")]
    if manager == "rpm":
        installs = any(
            flag.startswith(("-i", "-U", "--install", "--upgrade", "-v", "-F"))
            for flag in text.split()
        )
    else:
        installs = "-i" in text.split() or "--install" in text.split()
    if installs:
        return SystemInstall(
            manager=manager, action="install", at=program.at, argv=tuple(argv), files=tuple(words)
        )
    removes = {"-r", "--remove", "-P", "--purge", "-e", "--erase"} & set(text.split())
    if removes:
        return SystemInstall(
            manager=manager,
            action="remove",
            at=program.at,
            argv=tuple(argv),
            packages=tuple(_package(w) for w in words),
        )
    return None
