"""The files of artifacts and reports."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.builds import files, reports
from scaffold.engine.builds.buildspec import Files

JUNIT = """<testsuites>
  <testcase name="alone" time="bad"/>
  <testsuite name="outer">
    <testcase name="good" time="0.5"/>
    <testsuite name="inner"><testcase name="bad"><failure message="1 is not 2"/></testcase></testsuite>
    <testcase name="broken"><error>no such file</error></testcase>
    <testcase name="later" time="inf"><skipped message="another day"/></testcase>
  </testsuite>
</testsuites>"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a.txt", "dist/index.html", "dist/js/app.js", "dist/js/deep/b.js", "dist/.hidden"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "source"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (Files(("a.txt",)), ["a.txt"]),
        (Files(("**/*",), "dist"), [".hidden", "index.html", "js/app.js", "js/deep/b.js"]),
        (Files(("dist/*",)), ["dist/.hidden", "dist/index.html"]),
        (Files(("**/*.js",)), ["dist/js/app.js", "dist/js/deep/b.js"]),
        (Files(("**/*.js",), discard_paths=True), ["app.js", "b.js"]),
        (Files(("./dist/js/*.js", "a.???")), ["a.txt", "dist/js/app.js"]),
    ],
)
def test_patterns(source: Path, spec: Files, expected: list[str]) -> None:
    assert sorted(files.select(source, spec)) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Files(("*.xml",)), "no matching artifact paths found for *.xml"),
        (Files(("*",), "reports"), "no matching base directory path found for reports"),
    ],
)
def test_nothing_matches(source: Path, spec: Files, message: str) -> None:
    with pytest.raises(files.NoFiles) as error:
        files.select(source, spec)
    assert str(error.value) == message


def test_an_archive_keeps_permissions_and_is_reproducible(source: Path, tmp_path: Path) -> None:
    (source / "a.txt").chmod(0o755)
    archive = files.archive(files.select(source, Files(("**/*",))))
    os.utime(source / "a.txt", (0, 2_000_000_000))
    assert files.archive(files.select(source, Files(("**/*",)))) == archive
    files.unpack(archive, tmp_path / "unpacked")
    assert os.access(tmp_path / "unpacked/a.txt", os.X_OK)
    assert (tmp_path / "unpacked/dist/js/app.js").read_text() == "dist/js/app.js"


def test_junit(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    report = reports.read("unit", {"out/junit.xml": tmp_path / "junit.xml"})
    assert [(case.suite, case.name, case.status, case.message) for case in report.cases] == [
        ("", "alone", "SUCCEEDED", ""),
        ("outer", "good", "SUCCEEDED", ""),
        ("inner", "bad", "FAILED", "1 is not 2"),
        ("outer", "broken", "ERROR", "no such file"),
        ("outer", "later", "SKIPPED", "another day"),
    ]
    assert report.cases[1].nanoseconds == 500_000_000
    assert report.status == "FAILED"
    assert report.counts == {"SUCCEEDED": 2, "FAILED": 1, "ERROR": 1, "SKIPPED": 1}


@pytest.mark.parametrize("text", ["<html/>", "no XML", "", '<?xml version="1.0" encoding="none-such"?><testsuite/>'])
def test_no_junit(tmp_path: Path, text: str) -> None:
    (tmp_path / "junit.xml").write_text(text)
    with pytest.raises(reports.InvalidReport):
        reports.read("unit", {"junit.xml": tmp_path / "junit.xml"})


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_an_archive_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "text")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../..")
    files.unpack(content.getvalue(), tmp_path / "a/b")
    assert not (tmp_path / "outside").exists()
    assert not Path("/outside").exists()
    assert not (tmp_path / "a/b/link").exists()


Entry = tuple[str, str, bool]


def zipped(*entries: Entry) -> bytes:
    """An archive of entries with name, content or target, and whether they are links."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Names that are there twice.
        for name, text, is_link in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if is_link else 0o100644) << 16
            archive.writestr(entry, text)
    return content.getvalue()


def unpack_or_refuse(content: bytes, top: Path) -> None:
    """Unpack an archive into a folder two levels below `top`, and see that it stays there."""
    folder = top / "a/b"
    folder.mkdir(parents=True)
    with contextlib.suppress(zipfile.BadZipFile):
        files.unpack(content, folder)
    assert [path.name for path in top.iterdir()] == ["a"]
    assert [path.name for path in (top / "a").iterdir()] == ["b"]
    for path in folder.rglob("*"):
        assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)), path


@pytest.mark.parametrize(
    "entries",
    [
        [("a", "d1/d2/b/../..", True), ("d1/d2/b", "../..", True), ("a/evil", "text", False)],
        [("a", "d1/d2/b/../..", True), ("d1/d2/b", "../..", True)],
        [("a", "..", True), ("a/evil", "text", False)],
        [("a", "..", True), ("a", "text", False)],
        [("a", "text", False), ("a", "/", True)],
        [("a", "b", True), ("b", "..", True), ("c", "a/x", True)],
        [("a", "b/../..", True), ("b", "c/d", True), ("c/d/e", "text", False)],
        [("a", "a", True)],
        [("a", "", True)],
        [("a", "x" * 5000, True)],
    ],
)
def test_links_do_not_lead_out_of_the_folder(tmp_path: Path, entries: list[Entry]) -> None:
    unpack_or_refuse(zipped(*entries), tmp_path)


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
targets = st.lists(st.sampled_from([*"abc", "..", "."]), min_size=1, max_size=5).map("/".join)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(names, targets, st.booleans()), max_size=6))
def test_no_order_of_links_leads_out_of_the_folder(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as top:
        unpack_or_refuse(zipped(*entries), Path(top))


def test_links_are_kept(tmp_path: Path) -> None:
    entries = ("bin/tool", "../lib/tool.js", True), ("lib/tool.js", "text", False), ("current", "lib", True)
    files.unpack(zipped(*entries), tmp_path)
    assert (tmp_path / "bin/tool").read_text() == "text"
    assert (tmp_path / "current").readlink() == Path("lib")


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_what_is_no_archive_is_said(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(zipfile.BadZipFile):
        files.unpack(content, Path(folder))
