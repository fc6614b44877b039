"""Layers of images are unpacked into their folder only."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaffold.engine.tasks.images import apply_layer
from tests.engine.tasks.standin import layer


def archive(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as written:
        for one in entries:
            entry, data = one if isinstance(one, tuple) else (one, b"")
            entry.size = len(data)
            written.addfile(entry, io.BytesIO(data))
    return gzip.compress(content.getvalue())


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "image"
    made.mkdir()
    return made


def test_later_layers_replace_and_delete(root: Path) -> None:
    apply_layer(layer({"app/a": "1", "app/b": "1", "lib/x": "1", "lib/deep/y": "1"}), root)
    apply_layer(layer({"app/a": "2", "app/.wh.b": "", "lib/.wh..wh..opq": "", "lib/z": "2"}), root)
    assert files(root) == {"app/a": "2", "lib/z": "2"}


def test_a_file_takes_the_place_of_a_folder_and_the_other_way_round(root: Path) -> None:
    apply_layer(layer({"a/b": "1", "c": "1"}), root)
    apply_layer(layer({"a": "2"}), root)
    apply_layer(archive(entry("c", tarfile.DIRTYPE), (entry("c/d"), b"2")), root)
    assert files(root) == {"a": "2", "c/d": "2"}


def test_links_stay_inside_and_programs_stay_executable(root: Path) -> None:
    apply_layer(
        archive(
            (entry("bin/run", mode=0o755), b"#!"),
            entry("run", tarfile.SYMTYPE, "/bin/run"),
            entry("bin/other", tarfile.SYMTYPE, "run"),
            entry("same", tarfile.LNKTYPE, "bin/run"),
            entry("null", tarfile.CHRTYPE),
        ),
        root,
    )
    assert files(root) == dict.fromkeys(["bin/run", "run", "bin/other", "same"], "#!")
    assert os.access(root / "run", os.X_OK)


@pytest.mark.parametrize(
    "entries",
    [
        [(entry("../outside"), b"x")],
        [(entry("a/../../outside"), b"x")],
        [(entry(".wh..."), b"")],
        [(entry("a/.wh..."), b"")],
        [(entry(".wh."), b"")],
        [entry("out", tarfile.LNKTYPE, "../outside")],
        [entry("out", tarfile.LNKTYPE, "/etc/hostname")],
    ],
)
def test_a_path_out_of_the_image_is_refused(root: Path, entries: list[tarfile.TarInfo]) -> None:
    outside = root.parent / "outside"
    with pytest.raises(ValueError, match="leads"):
        apply_layer(archive(*entries), root)
    assert not outside.exists()


@pytest.mark.parametrize(
    "entries",
    [
        [entry("out", tarfile.SYMTYPE, "../../outside")],
        [entry("out", tarfile.SYMTYPE, "/../outside")],
        [
            entry("a/b", tarfile.DIRTYPE),
            entry("a/b/s", tarfile.SYMTYPE, "/"),
            entry("a/b/s/out", tarfile.SYMTYPE, "../../../x"),
        ],
        [
            entry("a/b", tarfile.DIRTYPE),
            entry("s", tarfile.SYMTYPE, "a/b"),
            entry("s/out", tarfile.SYMTYPE, "../../../x"),
        ],
    ],
)
def test_links_above_the_root_lead_to_the_root_as_in_a_container(root: Path, entries: list[tarfile.TarInfo]) -> None:
    apply_layer(archive(*entries), root)
    for link in (path for path in root.rglob("*") if path.is_symlink()):
        goal = Path(os.path.realpath(link))
        assert root in [goal, *goal.parents], link


def test_a_link_that_a_process_has_left_is_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "out").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out"):
        apply_layer(layer({"out/file": "x"}), root)
    assert list(outside.iterdir()) == []


PARTS = ["a", "b", "..", ".", ".wh.a", ".wh..wh..opq", ".wh...", ".wh..", ".wh."]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)
ENTRIES = st.builds(
    entry,
    st.builds("{}{}".format, st.sampled_from(["", "/", "./"]), NAMES),
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]),
    st.builds("{}{}".format, st.sampled_from(["", "/"]), NAMES),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ENTRIES, max_size=6))
def test_no_archive_writes_or_deletes_outside(tmp_path_factory: pytest.TempPathFactory, entries: list) -> None:
    around = tmp_path_factory.mktemp("around")
    inside = around / "x" / "image"
    inside.mkdir(parents=True)
    kept = [around / "a", around / "b", around / "x" / "a", around / "x" / "b"]
    for path in kept:
        path.write_text("kept")
    with suppress(ValueError, OSError):
        apply_layer(archive(*entries), inside)
    assert [path.read_text() for path in kept] == ["kept"] * 4
    assert sorted(around.iterdir()) == sorted([around / "a", around / "b", around / "x"])
    for link in (path for path in inside.rglob("*") if path.is_symlink()):
        goal = Path(os.path.realpath(link))
        assert inside in [goal, *goal.parents]
