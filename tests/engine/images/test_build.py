"""Dockerfiles, build contexts and the instructions that change files."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.databases import programs
from scaffold.engine.images.build import Builder, Built
from scaffold.engine.images.context import Context
from scaffold.engine.images.dockerfile import parse, substitute
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.node import Node


def build(folder: Path, text: str, target: str = "", **given: str) -> Built:
    node = Node("false", ("false",), "v24")
    context = folder / "context"
    context.mkdir(parents=True, exist_ok=True)
    work = folder / "work"
    work.mkdir()
    return Builder(parse(text, given), Context(context), given, node, {}, folder / "cache", work, lambda _: None).build(
        target
    )


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "context" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def files(built: Built) -> list[str]:
    return sorted(built.tree.inside(path) for path in built.tree.below(built.tree.root) if path.is_file())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${A}b", "1-1b"),
        ("${B:-x}${B-y}${A:+z}", "xz"),
        ("${NONE:-x}${NONE-y}${NONE:+z}", "xy"),
        (r"\$A", "$A"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert substitute(text, {"A": "1", "B": ""}) == expected


def test_arguments_reach_from_and_stages_that_declare_them(tmp_path: Path) -> None:
    text = """# syntax=docker/dockerfile:1
ARG BASE=node:1
ARG OTHER=2
FROM ${BASE} AS first
ARG BASE
ARG TARGETARCH
ARG LEVEL=info
ENV WHAT="$BASE $OTHER $TARGETARCH $LEVEL"
"""
    assert build(tmp_path, text, BASE="node:9", TARGETARCH="arm64").settings.env["WHAT"] == "node:9  arm64 info"


def test_the_settings_of_a_stage_on_another(tmp_path: Path) -> None:
    text = r"""
FROM node:24 AS base
ENV A=1 \
    # a comment
    B="two words"
WORKDIR /srv
LABEL x=y
USER 7
FROM base
WORKDIR app
ENV OLD form of it
EXPOSE 80 53/udp
STOPSIGNAL SIGINT
CMD node main.js
"""
    built = build(tmp_path, text)
    assert built.settings.document() == {
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            *("A=1", "B=two words", "OLD=form of it"),
        ],
        "WorkingDir": "/srv/app",
        "User": "7",
        "Cmd": ["/bin/sh", "-c", "node main.js"],
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Labels": {"x": "y"},
        "StopSignal": "SIGINT",
    }


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY a.txt b.txt", ["app/b.txt"]),
        ("COPY a.txt ./", ["app/a.txt"]),
        ("COPY a.txt /x/", ["x/a.txt"]),
        ("COPY src src", ["app/src/deep/two.js", "app/src/one.js"]),
        ("COPY src/ .", ["app/deep/two.js", "app/one.js"]),
        ("COPY src/*.js js/", ["app/js/one.js"]),
        ("COPY a.* package.json ./", ["app/a.txt", "app/package.json"]),
        ('COPY ["a.txt", "with space/"]', ["app/with space/a.txt"]),
        (
            "COPY . .",
            [
                "app/.dockerignore",
                "app/Dockerfile",
                "app/a.txt",
                "app/package.json",
                "app/src/deep/two.js",
                "app/src/one.js",
            ],
        ),
        ("COPY --chmod=700 a.txt b", ["app/b"]),
        ("COPY a.txt /x/\nRUN rm -rf /x/a.txt /usr/lib/apt*", []),
    ],
)
def test_copying(tmp_path: Path, instruction: str, expected: list[str]) -> None:
    write(tmp_path, "a.txt", "package.json", "src/one.js", "src/deep/two.js", "node_modules/m.js", "Dockerfile")
    (tmp_path / "context/.dockerignore").write_text("# no modules\nnode_modules\n")
    assert files(build(tmp_path, f"FROM node:24\nWORKDIR /app\n{instruction}\n")) == expected


def test_only_what_the_target_needs_is_built(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    text = """
FROM node:24 AS one
COPY a.txt /from-one/
FROM python:3 AS other
RUN pip install x
FROM node:24 AS last
COPY --from=one /from-one /here
RUN mkdir -p /var/data && chown 1000:1000 /var/data
"""
    built = build(tmp_path, text, "last")
    assert files(built) == ["here/a.txt"]
    assert built.tree.owners == {"var/data": (1000, 1000)}


POSTGRES = "apt-get update && apt-get install --yes --no-install-recommends postgresql-17=17.*"


def test_tests_use_the_postgresql_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debian = tmp_path / "postgresql"
    monkeypatch.setattr(programs, "_DEBIAN", debian)
    text = f"FROM node:24\nRUN {POSTGRES} && rm -rf /var/lib/apt/lists/*\n"
    with pytest.raises(NeedsEngine, match="without Debian's PostgreSQL on this machine, needs a container engine"):
        build(tmp_path / "without", text)
    for version in ("9", "17"):
        (debian / version / "bin").mkdir(parents=True)
        (debian / version / "bin/initdb").touch()
    assert programs.of_debian() == debian / "17/bin"
    assert files(build(tmp_path / "with", text)) == []
    with pytest.raises(NeedsEngine):
        build(tmp_path / "other", f"FROM node:24\nRUN {POSTGRES} curl\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM node:24\nCOPY nothing .\n", "COPY nothing: not found"),
        ("COPY a b\n", "no build stage in current context"),
        ("# empty\n", "no FROM"),
        ("FROM node:24 AS\n", "FROM requires either one or three arguments"),
    ],
)
def test_what_fails_with_an_engine_too(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        build(tmp_path, text)
    assert message in str(failed.value)


def test_no_file_is_written_outside(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "context/link").symlink_to(outside)
    with pytest.raises(BuildFailed, match="leads out of the image"):
        build(tmp_path, "FROM node:24\nCOPY link /x\nCOPY a.txt /x/a.txt\n")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "instructions",
    [
        "RUN rm -rf app/*/cache",
        "RUN rm -rf /app/data*/cache /app/da?a/kept",
        "RUN rm -rf app/[d]ata/*",
        "RUN rm -rf /app/data/cache",
        "RUN mkdir -p app/data/new",
        "WORKDIR /app/data",
        "WORKDIR /app/data\nRUN npm ci",
        "WORKDIR /app/data/cache\nRUN npm ci",
        "COPY modules /srv/node_modules\nWORKDIR /srv\nRUN npm ci",
        "COPY a.txt app/data/a.txt",
        "COPY a.txt app/data",
        "COPY one two /both/",
        "COPY part* /both/",
    ],
)
def test_a_link_out_of_the_image_is_not_followed(tmp_path: Path, instructions: str) -> None:
    """The npm of these tests fails; it is not started."""
    write(tmp_path, "a.txt", "part2/x/evil.txt", "two/x/evil.txt")
    data = tmp_path / "data"
    (data / "cache").mkdir(parents=True)
    (data / "kept").touch()
    for link in ("app/data", "modules", "part1/x", "one/x"):
        (tmp_path / "context" / link).parent.mkdir(exist_ok=True)
        (tmp_path / "context" / link).symlink_to(data)
    with pytest.raises(BuildFailed, match="leads out of the image"):
        build(tmp_path, f"FROM node:24\nCOPY app /app\n{instructions}\n")
    assert sorted(path.name for path in data.rglob("*")) == ["cache", "kept"]


@pytest.mark.parametrize("pattern", ["/app/link", "/app/l*", "/app/*", "/a*/link"])
def test_a_link_is_removed_and_not_its_target(tmp_path: Path, pattern: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "kept").touch()
    write(tmp_path, "a.txt")
    (tmp_path / "context/link").symlink_to(data)
    built = build(tmp_path, f"FROM node:24\nCOPY . /app\nRUN rm -rf {pattern} /absent/*\n")
    assert not (built.tree.root / "app/link").is_symlink()
    assert [path.name for path in data.iterdir()] == ["kept"]


def test_the_root_is_a_directory_like_others(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    assert files(build(tmp_path, "FROM node:24\nWORKDIR /\nCOPY a.txt b\nRUN mkdir c && rm -rf c*\n")) == ["b"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("*.log", {"a", "b/c.log", "b/d"}),
        ("**/*.log", {"a", "b/d"}),
        ("b", {"a", "x.log"}),
        ("b\n!b/d", {"a", "b/d", "x.log"}),
        ("*\n!a", {"a"}),
        ("# a\n/a\n", {"b/c.log", "b/d", "x.log"}),
        ("?", {"x.log"}),
    ],
)
def test_dockerignore(tmp_path: Path, ignore: str, left: set[str]) -> None:
    write(tmp_path, "a", "b/c.log", "b/d", "x.log")
    (tmp_path / "context/Dockerfile.dockerignore").write_text(ignore)
    found = set(Context(tmp_path / "context").files) - {"Dockerfile.dockerignore"}
    assert found == left


KEYWORDS = (
    "FROM",
    "ARG",
    "RUN",
    "COPY",
    "ENV",
    "LABEL",
    "WORKDIR",
    "USER",
    "EXPOSE",
    "CMD",
    "ENTRYPOINT",
    "ADD",
    "SHELL",
)
ARGUMENTS = (
    *(
        "node:24",
        "AS",
        "a",
        "a=b",
        "$a",
        "${a:-b}",
        "'",
        '"',
        "[",
        '["x"]',
        "--from=a",
        "--chmod=x",
        "--chmod=755",
        ".",
        "..",
    ),
    *("/", "*", "npm", "ci", "mkdir", "-p", "rm", "-rf", "chown", "1:1", "&&", ";", "\\", "<<E", "\0", "~root"),
)
lines = st.tuples(st.sampled_from(KEYWORDS), st.lists(st.sampled_from(ARGUMENTS), max_size=5))


@settings(deadline=None, max_examples=60)
@given(st.lists(lines, max_size=6))
def test_any_dockerfile_is_built_or_refused(found: list[tuple[str, list[str]]]) -> None:
    """Its npm fails."""
    text = "FROM node:24\n" + "".join(f"{keyword} {' '.join(arguments)}\n" for keyword, arguments in found)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "a", "b/c")
        before = sorted(Path(folder, "context").rglob("*"))
        with contextlib.suppress(NeedsEngine, BuildFailed):
            build(Path(folder), text)
        assert sorted(Path(folder, "context").rglob("*")) == before
