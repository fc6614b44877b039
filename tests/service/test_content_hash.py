"""The version of a service is a hash of the content of its image only."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.kits import ROOT

SCRIPT = ROOT / "template/config/scripts/content_hash.py"
BASE = "node:24@sha256:" + "b" * 64

spec = importlib.util.spec_from_file_location("content_hash", SCRIPT)
assert spec
assert spec.loader
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def version(root: Path, architecture: str = "x86_64", base: str = BASE) -> str:
    return module.content_hash(root, architecture, base)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


FILES = {
    "src/main.js": b"main",
    "src/lib/a.js": b"a",
    "package.json": b"{}",
    "Dockerfile": b"FROM x",
    ".dockerignore": b"",
}


@pytest.fixture
def tree(tmp_path):
    return write(tmp_path / "app", FILES)


def test_it_is_a_valid_tag_of_fixed_length(tree):
    assert re.fullmatch(r"[0-9a-f]{16}", version(tree))


def test_it_does_not_change_from_release_to_release(tree):
    # Another algorithm would rebuild and redeploy every service after its next kit update.
    assert version(tree) == "b12232fff1a9f237"


def test_it_ignores_location_times_and_permissions(tree, tmp_path):
    other = shutil.copytree(tree, tmp_path / "elsewhere" / "copy")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    assert version(other) == version(tree)


def test_it_ignores_files_outside_of_the_build_context(tree):
    before = version(write(tree, {".dockerignore": b"node_modules\nreports\n*.log\n**/.DS_Store\n"}))
    junk = {"node_modules/a/b.js": b"1", "reports/junit.xml": b"2", "npm.log": b"3", "src/lib/.DS_Store": b"4"}
    assert version(write(tree, junk)) == before
    assert version(write(tree, {"src/not.log": b"5"})) != before


@pytest.mark.parametrize("name", ["src/main.js", "package.json", "Dockerfile", ".dockerignore"])
def test_it_changes_with_every_byte(tree, name):
    before = version(tree)
    path = tree / name
    path.write_bytes(path.read_bytes() + b"#")
    assert version(tree) != before


def test_it_changes_with_names(tree):
    before = version(tree)
    (tree / "src/main.js").rename(tree / "src/Main.js")
    assert version(tree) != before


def test_it_changes_with_architecture_and_base(tree):
    versions = {version(tree), version(tree, "arm64"), version(tree, base=BASE.replace("b", "c"))}
    assert len(versions) == 3


def test_it_changes_with_an_ignored_dockerfile(tree):
    before = version(write(tree, {".dockerignore": b"Dockerfile\n"}))
    assert version(write(tree, {"Dockerfile": b"FROM y"})) != before


def test_a_symbolic_link_differs_from_a_file(tree):
    (tree / "src/link.js").symlink_to("main.js")
    linked = version(tree)
    (tree / "src/link.js").unlink()
    write(tree, {"src/link.js": b"main.js"})
    assert version(tree) != linked


def test_a_symbolic_link_to_a_directory_is_not_followed(tree, tmp_path):
    outside = write(tmp_path / "outside", {"x": b"1"})
    (tree / "folder").symlink_to(outside)
    before = version(tree)
    write(outside, {"x": b"2"})
    assert version(tree) == before


@pytest.mark.parametrize(
    ("patterns", "excluded", "included"),
    [
        ("node_modules", ["node_modules", "node_modules/a/b"], ["src/node_modules/a", "node_modules2"]),
        ("/reports/", ["reports/x"], ["src/reports/x"]),
        ("*.log", ["a.log"], ["src/a.log", "a.logs"]),
        ("**/*.log", ["a.log", "src/a.log", "a/b/c.log"], ["a.lo"]),
        ("src/**", ["src/a", "src/a/b"], ["src2/a"]),
        ("a?c", ["abc"], ["ac", "abbc", "a/c"]),
        ("[ab].js", ["a.js"], ["c.js"]),
        ("*.md\n!README.md", ["a.md"], ["README.md"]),
        ("docs\n!docs/keep", ["docs/x"], ["docs/keep", "docs/keep/y"]),
        ("!a\na", ["a"], ["b"]),
        ("# a\n\n  b  ", ["b"], ["a", "# a"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_patterns_match_as_in_docker(patterns, excluded, included):
    ignore = module.Ignore(patterns)
    for path in excluded:
        assert ignore.excludes(path), path
    for path in included:
        assert not ignore.excludes(path), path


names = st.lists(st.sampled_from(["a", "b", "src", "x.js", "é"]), min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(names, st.binary(max_size=4), max_size=5)


def possible(files: dict[str, bytes]) -> bool:
    """Whether no file is also the directory of another file."""
    return not any(other.startswith(name + "/") for name in files for other in files)


@given(trees, trees)
@settings(max_examples=60, deadline=None)
def test_only_equal_trees_have_the_same_version(tmp_path_factory, one, other):
    assume(possible(one) and possible(other))
    root = tmp_path_factory.mktemp("trees")
    (root / "one").mkdir()
    (root / "other").mkdir()
    same = version(write(root / "one", one)) == version(write(root / "other", other))
    assert same == (one == other)


def test_the_command(tree, tmp_path):
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, SCRIPT, *words]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=tmp_path)

    done = run("app", "--architecture", "x86_64", "--base", BASE)
    assert done.stdout == version(tree) + "\n"
    missing = run("nowhere", "--architecture", "arm64", "--base", BASE)
    assert (missing.returncode, missing.stderr) == (1, "nowhere is not a directory.\n")
    assert run("app", "--architecture", "sparc", "--base", BASE).returncode == 2
