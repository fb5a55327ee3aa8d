"""Command lines that fetch or change files."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.parsers.commands.facts import Download, Fact, FileOp
from auditor.parsers.commands.options import Scanned, scan
from auditor.parsers.commands.wrappers import base_name
from auditor.parsers.shell.expansion import Value
from auditor.parsers.shell.facts import Arg


def _table(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split()]
    return {flag: name or flag.lstrip("-").replace("-", "_") for flag, _, name in pairs}


_CURL = _table(
    "-o=output --output -H=header --header -d=data --data --data-binary=data --data-raw=data -X=request "
    "--request -u=user --user -A=agent --user-agent --retry --retry-delay --retry-max-time "
    "--connect-timeout -m=max_time --max-time -x=proxy --proxy -F=form --form -w=write_out "
    "--write-out --cacert --cert --key -b=cookie --cookie -c=cookie_jar --cookie-jar -T=upload "
    "--url -e=referer --referer --output-dir=directory -C=continue --continue-at -r=range "
    "--limit-rate --proto --tlsv -K=config --resolve --data-urlencode=data -y=speed -Y=speed -z=time"
)
_CURL_SWITCHES = _table(
    "-O=remote_name --remote-name -J=remote_header -L=location -s=silent -S=show -f=fail"
)
_WGET = _table(
    "-O=output --output-document=output -P=directory --directory-prefix=directory -t=tries --tries "
    "-T=timeout --timeout --header -U=agent --user-agent -o=log --output-file=log -i=input "
    "--input-file=input --user --password -e=execute --execute --load-cookies --save-cookies "
    "--post-data --progress --waitretry --wait -w=wait --limit-rate -Q=quota -l=level -A=accept "
    "-R=reject --ca-certificate -a=log --cut-dirs --retry-connrefused-option"
)


def curl(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``curl``: one download (the first address) with where it goes."""
    scanned = scan(rest, values=_CURL, switches=_CURL_SWITCHES)
    urls = [*scanned.all("url"), *scanned.words]
    if not urls:
        return None
    output = scanned.value("output")
    stdout = output == "-" or (output is None and not scanned.on("remote_name"))
    return Download(
        tool="curl",
        at=program.at,
        argv=tuple(argv),
        source=urls[0],
        output=None if output == "-" else output,
        directory=scanned.value("directory"),
        to_stdout=stdout,
    )


def wget(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``wget``; ``-O -`` (or ``-qO-``) goes to the standard output."""
    scanned = scan(
        rest,
        values=_WGET,
        switches=_table(
            "-q=quiet -c=continue -N=timestamping -r=recursive -nc=no_clobber -nv=quiet"
        ),
    )
    if not scanned.words:
        return None
    output = scanned.value("output")
    return Download(
        tool="wget",
        at=program.at,
        argv=tuple(argv),
        source=scanned.words[0],
        output=None if output == "-" else output,
        directory=scanned.value("directory"),
        to_stdout=output == "-",
    )


def aria2c(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``aria2c``."""
    values = _table(
        "-o=output --out=output -d=directory --dir=directory -x=connections -s=split -k=piece -j=jobs --header"
    )
    scanned = scan(rest, values=values)
    if not scanned.words:
        return None
    return Download(
        tool="aria2c",
        at=program.at,
        argv=tuple(argv),
        source=scanned.words[0],
        output=scanned.value("output"),
        directory=scanned.value("directory"),
    )


def git(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``git clone`` and ``git lfs pull``."""
    values = _table(
        "-b=revision --branch=revision --depth -o=origin --origin -c=config --config -j=jobs --jobs "
        "--reference --separate-git-dir --filter -C=cwd --template --shallow-since"
    )
    scanned = scan(rest, values=values)
    words = scanned.words
    first = words[0].text if words else ""
    if first == "clone" and len(words) > 1:
        return Download(
            tool="git",
            at=program.at,
            argv=tuple(argv),
            source=words[1],
            output=words[2].value if len(words) > 2 else None,
            revision=scanned.value("revision"),
        )
    if first == "lfs" and len(words) > 1 and words[1].text in {"pull", "fetch", "clone"}:
        return Download(
            tool="git-lfs",
            at=program.at,
            argv=tuple(argv),
            source=words[2] if len(words) > 2 else None,
        )
    return None


def huggingface(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``huggingface-cli download`` and ``hf download``."""
    values = _table(
        "--local-dir=directory --cache-dir=cache --revision --repo-type --include --exclude --token "
        "--max-workers --local-dir-use-symlinks"
    )
    scanned = scan(rest, values=values)
    words = scanned.words
    if not words or words[0].text != "download" or len(words) < 2:
        return None
    return Download(
        tool="huggingface",
        at=program.at,
        argv=tuple(argv),
        source=words[1],
        directory=scanned.value("directory", "cache"),
        revision=scanned.value("revision"),
    )


def dvc(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``dvc pull|fetch|get|import``."""
    values = _table("-r=remote --remote -j=jobs --jobs -o=output --out=output --rev=revision")
    scanned = scan(rest, values=values)
    words = scanned.words
    first = words[0].text if words else ""
    if first in {"pull", "fetch"}:
        source = words[1] if len(words) > 1 else None
    elif first in {"get", "get-url", "import", "import-url"} and len(words) > 1:
        source = words[1]
    else:
        return None
    return Download(
        tool="dvc",
        at=program.at,
        argv=tuple(argv),
        source=source,
        output=scanned.value("output"),
        revision=scanned.value("revision"),
    )


def gdown(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``gdown`` (Google Drive)."""
    values = _table("-O=output --output --id --speed --proxy --user-agent")
    scanned = scan(rest, values=values)
    sources = [*scanned.words, *scanned.all("id")]
    return Download(
        tool="gdown",
        at=program.at,
        argv=tuple(argv),
        source=sources[0] if sources else None,
        output=scanned.value("output"),
    )


def cloud(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``aws s3 cp|sync``, ``gsutil cp|rsync``, ``gcloud storage cp``, ``az storage blob download``."""
    name = base_name(program)
    values = _table(
        "--region --profile --endpoint-url --exclude --include --acl --sse --project -o=option "
        "--account-name --container-name -c=container -n=name --name -f=output --file=output "
        "--account-key --connection-string --storage-class"
    )
    if name in {"gsutil", "aws", "mc", "rclone"}:
        values = {k: v for k, v in values.items() if k not in {"-n", "-c", "-f"}}
    scanned = scan(rest, values=values)
    words = [w for w in scanned.words if w.text not in {"s3", "storage", "blob", "s3api"}]
    actions = {"cp", "sync", "rsync", "mv", "download", "get", "copy", "mirror", "download-batch"}
    if not words or words[0].text not in actions:
        return None
    paths = words[1:]
    if name == "az":
        names = scanned.all("name")
        source = names[0] if names else None
        return Download(
            tool=name,
            at=program.at,
            argv=tuple(argv),
            source=source,
            output=scanned.value("output"),
        )
    if len(paths) < 2 or _is_remote(paths[-1]):
        return None
    return Download(
        tool=name, at=program.at, argv=tuple(argv), source=paths[0], output=paths[-1].value
    )


def _is_remote(arg: Arg) -> bool:
    head = arg.text or next((p for p in arg.pieces if isinstance(p, str)), "")
    return "://" in head


def module_download(
    module: str, program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]
) -> Fact | None:
    """``python -m spacy download``, ``python -m nltk.downloader``."""
    if module == "spacy" and len(rest) > 1 and rest[0].text == "download":
        words = [a for a in rest[1:] if not a.text.startswith("-")]
        return Download(
            tool="spacy", at=program.at, argv=tuple(argv), source=words[0] if words else None
        )
    if module in {"nltk.downloader", "nltk"}:
        scanned = scan(rest, values=_table("-d=directory --dir=directory -u=url"))
        return Download(
            tool="nltk",
            at=program.at,
            argv=tuple(argv),
            source=scanned.words[0] if scanned.words else None,
            directory=scanned.value("directory"),
        )
    return None


def spacy(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``spacy download``."""
    return module_download("spacy", program, rest, argv)


def playwright(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """``playwright install``: fetches browsers."""
    if rest and rest[0].text in {"install", "install-deps"}:
        words = [a for a in rest[1:] if not a.text.startswith("-")]
        return Download(
            tool="playwright", at=program.at, argv=tuple(argv), source=words[0] if words else None
        )
    return None


# --- local files -------------------------------------------------------------------------------

_FILE_VALUES: dict[str, dict[str, str]] = {
    "mkdir": _table("-m=mode --mode -Z=context"),
    "cp": _table("-t=target --target-directory=target -S=suffix --suffix"),
    "mv": _table("-t=target --target-directory=target -S=suffix --suffix"),
    "ln": _table("-t=target --target-directory=target -S=suffix"),
    "install": _table("-m=mode --mode -o=owner --owner -g=group --group -t=target"),
    "touch": _table("-d=date -r=reference -t=time --date --reference"),
    "truncate": _table("-s=size --size -r=reference"),
    "rm": {},
    "rmdir": {},
    "chmod": _table("--reference"),
    "chown": _table("--from --reference"),
    "chgrp": _table("--reference"),
    "useradd": _table(
        "-u=uid --uid -g=gid --gid -G=groups --groups -d=home --home-dir=home --home=home -s=shell "
        "--shell -c=comment --comment -p=password --password -b=base --base-dir -K=key -k=skel"
    ),
    "adduser": _table(
        "--uid -u=uid --gid --home=home -h=home --shell -s=shell --gecos -g=gecos --ingroup=gid "
        "-G=gid --conf --firstuid --lastuid -k=skel"
    ),
    "groupadd": _table("-g=gid --gid -K=key"),
    "addgroup": _table("-g=gid --gid"),
    "usermod": _table("-u=uid -g=gid -G=groups -d=home -s=shell -l=login -aG=groups"),
    "tar": _table(
        "-C=target --directory=target -f=file --file --strip-components --exclude -X=exclude -I=program"
    ),
    "unzip": _table("-d=target -x=exclude -P=password"),
    "rsync": _table("-e=rsh --exclude --include --rsh --chown --chmod"),
}
FILE_OPS = tuple(_FILE_VALUES)
_RECURSIVE = {
    "cp": _table("-r=recursive -R=recursive -a=recursive --recursive --archive=recursive"),
    "install": _table("-d=directory -D=parents"),
    "adduser": _table(
        "-D=disabled -S=system -H=no_home --system --disabled-password --no-create-home"
    ),
    "useradd": _table("-m=create_home --create-home -M=no_home -r=system -l=nolog -N=nogroup"),
    "tar": _table("-x=extract -z=gzip -j=bzip2 -v=verbose -c=create -J=xz -p=preserve"),
}


def file_op(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> Fact | None:
    """The everyday programs on files and users."""
    op = base_name(program)
    values = _FILE_VALUES.get(op)
    if values is None:
        return None
    if op in {"chmod", "chown"} and rest and rest[0].text[:1] == "-" and "x" in rest[0].text:
        # `chmod -x file`: a mode, not an option.
        scanned = Scanned(words=list(rest))
    elif op == "tar" and rest and rest[0].text and not rest[0].text.startswith("-"):
        # Old style: `tar xzf file`.
        dashed = Arg(value="-" + rest[0].text, at=rest[0].at)
        scanned = scan([dashed, *rest[1:]], values=values, switches=_RECURSIVE["tar"])
    else:
        scanned = scan(rest, values=values, switches=_RECURSIVE.get(op))
    words = tuple(scanned.words)
    recursive = any(scanned.on(name) for name in ("recursive", "R", "r"))
    target: Arg | None = next(iter(scanned.all("target")), None)
    mode: Value | None = scanned.value("mode")
    owner: Value | None = scanned.value("owner")
    user: Value | None = None
    if op in {"cp", "mv", "ln", "rsync", "install"} and target is None:
        if op == "install" and scanned.on("directory"):
            pass
        elif len(words) > 1:
            words, target = words[:-1], words[-1]
    elif op == "chmod" and words:
        mode, words = words[0].value, words[1:]
    elif op in {"chown", "chgrp"} and words:
        owner, words = words[0].value, words[1:]
    elif op in {"useradd", "adduser", "usermod", "groupadd", "addgroup"}:
        target = next(iter(scanned.all("home")), None)
        user = words[0].value if words else None
        words = words[1:] if words else ()
    elif op == "tar":
        words = (*scanned.all("file"), *words)
    return FileOp(
        op=op,
        at=program.at,
        argv=tuple(argv),
        sources=words,
        target=target,
        recursive=recursive,
        mode=mode,
        owner=owner,
        user=user,
    )
