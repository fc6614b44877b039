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


def version(root: Path, architecture: str = "x86_64", *bases: str) -> str:
    return module.content_hash(root, architecture, *(bases or (BASE,)))


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
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
    assert version(tree) == "2e7bb601656c89c3"


def test_it_ignores_location_and_times(tree, tmp_path):
    other = shutil.copytree(tree, tmp_path / "elsewhere" / "copy")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    assert version(other) == version(tree)


@pytest.mark.parametrize("name", ["src/main.js", "src/lib"])
@pytest.mark.parametrize("mode", [0o700, 0o777, 0o4755])
def test_it_changes_with_permissions(tree, name, mode):
    before = version(tree)
    (tree / name).chmod(mode)
    assert version(tree) != before


def test_it_changes_with_an_empty_directory(tree):
    before = version(tree)
    (tree / "src/empty").mkdir()
    with_directory = version(tree)
    (tree / "src/empty").rmdir()
    write(tree, {"src/empty": b""})
    assert len({before, with_directory, version(tree)}) == 3


def test_it_changes_with_an_excluded_directory_of_an_included_file(tree):
    write(tree, {".dockerignore": b"docs\n!docs/keep\n", "docs/keep": b"", "docs/other/x": b""})
    before = version(tree)
    (tree / "docs/other").chmod(0o700)
    assert version(tree) == before
    (tree / "docs").chmod(0o700)
    assert version(tree) != before


def test_a_file_that_is_no_file_is_not_read(tree):
    before = version(tree)
    os.mkfifo(tree / "src/pipe")
    assert version(tree) != before


def test_names_may_be_any_bytes(tree):
    before = version(tree)
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_bytes(b"")
    assert version(tree) != before


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
    other = BASE.replace("b", "c")
    versions = [
        version(tree),
        version(tree, "arm64"),
        version(tree, "x86_64", other),
        version(tree, "x86_64", BASE, other),
    ]
    assert len(set(versions)) == 4


def test_the_order_of_base_images_does_not_matter(tree):
    other = BASE.replace("b", "c")
    assert version(tree, "x86_64", BASE, other) == version(tree, "x86_64", other, BASE)


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_it_changes_with_the_files_of_the_build_although_they_are_ignored(tree, name):
    before = version(write(tree, {".dockerignore": b"*\n", "Dockerfile.dockerignore": b"*\n"}))
    assert version(write(tree, {name: b"*\n#"})) != before


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
        ("*\n!./src\n!package.json", ["x", "docs/x"], ["src/app.js", "package.json"]),
        ("docs\n!**/keep", ["docs/x"], ["docs/keep", "docs/a/keep"]),
        # A rule that would change nothing for a directory is not inherited by what is below.
        ("a/b\n!a", ["a/b"], ["a/c"]),
        ("*\n!a/b\na", ["a/c"], ["a/b"]),
        ("a/../b//c/", ["b/c"], ["a", "b"]),
        ("[^a].js\n\\#b", ["b.js", "#b"], ["a.js", "b"]),
        ("\ufeff# a\nb", ["b"], ["a", "# a"]),
        ("!a\na", ["a"], ["b"]),
        ("# a\n\n  b  \n #c", ["b", "#c"], ["a", "# a"]),
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
