"""`scaffold update` changes what the kit changes, and not one byte besides."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import clean_environment, git, git_bytes
from tests.kits import IDENTITY
from tests.update.small import LINES, actions, commit, generated, new_service, run_update, status

KIT_CHANGE = (b"line 20 of the kit", b"line 20 of version 2")


def append(name: str, text: bytes) -> Callable[[Path], None]:
    def edit(service: Path) -> None:
        with (service / name).open("ab") as file:
            file.write(text)

    return edit


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(service: Path) -> None:
        path = service / name
        path.write_bytes(change(path.read_bytes()))

    return edit


def contents(service: Path) -> dict[bytes, tuple[int, bytes]]:
    """Type, executable bit and bytes of every file."""
    found = {}
    for path in service.rglob("*"):
        state, link = path.lstat(), path.is_symlink()
        if ".git" not in path.relative_to(service).parts and (link or path.is_file()):
            content = os.fsencode(path.readlink()) if link else path.read_bytes()
            name = os.fsencode(path.relative_to(service))
            found[name] = (stat.S_IFMT(state.st_mode) | state.st_mode & 0o111, content)
    return found


def blob(service: Path, revision: str) -> bytes:
    """What Git has committed, or staged."""
    return git_bytes("cat-file", "blob", revision, cwd=service, env=clean_environment())


EDITS: dict[str, Callable[[Path], None]] = {
    "Latin-1 in a file that the kit changes": append("app/changed.txt", "Größe\n".encode("latin-1")),
    "Latin-1 in a file that the kit leaves": append("app/unchanged.txt", "Größe\n".encode("latin-1")),
    "Latin-1 in a file of that encoding": append("app/latin.txt", "naïve\n".encode("latin-1")),
    "UTF-16": lambda service: (service / "app" / "wide.txt").write_bytes("Größe\n".encode("utf-16")) and None,
    "UTF-16 of a file of the kit": rewrite("app/unchanged.txt", lambda text: text.decode().encode("utf-16")),
    "carriage returns in a file that the kit leaves": rewrite(
        "app/unchanged.txt", lambda text: text.replace(b"\n", b"\r\n")
    ),
    "one line with a carriage return": rewrite("app/changed.txt", lambda text: text.replace(b"line 3 ", b"line 3\r ")),
    "no newline at the end": append("app/changed.txt", b"no newline"),
    "an empty file": rewrite("app/unchanged.txt", lambda _: b""),
    "an executable bit": lambda service: (service / "app" / "changed.txt").chmod(0o755),
    "no executable bit": lambda service: (service / "app" / "run.sh").chmod(0o644),
    "a link": lambda service: (service / "app" / "link").symlink_to("nowhere"),
    "a name in Latin-1": lambda service: Path(os.fsdecode(os.fsencode(service) + b"/app/caf\xe9")).write_bytes(b"\xe9"),
    "a name with a line break": lambda service: (service / "a\nb\t\"c'").write_text("x") and None,
    "a comment in the answers": append(".copier-answers.yml", b"# ours\n"),
    "conflict markers of its own": append("app/unchanged.txt", b"<<<<<<< a\n=======\n>>>>>>> b\n"),
}


QUICK = {("", "true"), ("*.txt text eol=crlf\n", "false")}
WHOLE_FILES = {"UTF-16 of a file of the kit", "carriage returns in a file that the kit leaves", "an empty file"}


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([name for name in EDITS if name not in WHOLE_FILES], id="many"),
        *(pytest.param([name], id=name, marks=pytest.mark.slow) for name in EDITS),
    ],
)
def test_a_byte_that_the_kit_did_not_change_stays(tmp_path: Path, edits: list[str]) -> None:
    """Kind 5: a promise about bytes, tried with bytes."""
    service = new_service(tmp_path)
    for name in edits:
        EDITS[name](service)
    commit(service)
    expected = contents(service)

    result = run_update(service)

    for name in (b"README.md", b"app/changed.txt", b"app/latin.txt", b"app/run.sh"):
        expected[name] = (expected[name][0], expected[name][1].replace(*KIT_CHANGE))
    regular, picture = stat.S_IFREG, bytes(range(255, -1, -1)) * 4
    expected |= {b"app/new.txt": (regular, b"new\n"), b"app/picture.bin": (regular, picture)}
    del expected[b"app/deleted.txt"]
    answers = expected[b".copier-answers.yml"]
    expected[b".copier-answers.yml"] = (answers[0], answers[1].replace(b"_commit: v1.0.0", b"_commit: v2.0.0"))
    assert contents(service) == expected
    assert result.exit_code == 0
    assert git("ls-files", "--unmerged", cwd=service) == ""
    assert git("diff", "--cached", "--name-only", cwd=service) == ""


def test_a_file_with_other_line_endings_is_a_conflict_that_keeps_both(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    rewrite("app/changed.txt", lambda text: text.replace(b"\n", b"\r\n"))(service)
    commit(service)
    before = (service / "app" / "changed.txt").read_bytes()

    result = run_update(service)

    after = (service / "app" / "changed.txt").read_bytes()
    assert set(before.split(b"\n")) <= set(after.split(b"\n"))
    assert KIT_CHANGE[1] in after
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("attributes", "configured"),
    [
        pytest.param(attributes, configured, marks=() if (attributes, configured) in QUICK else pytest.mark.slow)
        for attributes in ("", "* text=auto\n", "*.txt text eol=crlf\n")
        for configured in ("true", "input", "false")
    ],
)
def test_line_endings_follow_the_repository_and_not_the_machine(
    tmp_path: Path, configured: str, attributes: str
) -> None:
    service = new_service(tmp_path)
    if attributes:
        (service / ".gitattributes").write_text(attributes)
        commit(service)
        git("checkout", "HEAD^", "--", "app", cwd=service)
        git("rm", "-q", "-r", "--cached", "app", cwd=service)
        git("reset", "-q", "--hard", cwd=service)
    git("config", "core.autocrlf", configured, cwd=service)
    converted = "eol=crlf" in attributes

    result = run_update(service)

    assert result.exit_code == 0, result.files
    end = b"\r\n" if converted else b"\n"
    text = (service / "app" / "changed.txt").read_bytes()
    assert text == b"changed.txt\n".replace(b"\n", end) + "".join(LINES).encode().replace(b"\n", end).replace(
        *KIT_CHANGE
    )
    git("add", "app/changed.txt", cwd=service)
    assert b"\r" not in blob(service, ":app/changed.txt")


def test_a_work_tree_that_git_has_converted_stays_converted(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    git("config", "core.autocrlf", "true", cwd=service)
    git("rm", "-q", "-r", "--cached", ".", cwd=service)
    git("reset", "-q", "--hard", cwd=service)
    assert b"\r\n" in (service / "app" / "changed.txt").read_bytes()

    assert run_update(service).exit_code == 0

    text = (service / "app" / "changed.txt").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") == 41
    assert KIT_CHANGE[1] in text


def test_a_folder_in_place_of_which_is_a_link(tmp_path: Path) -> None:
    """The kit's changes follow its files; what it would create behind the link is refused."""
    service = new_service(tmp_path)
    git("mv", "infrastructure", "stacks", cwd=service)
    (service / "infrastructure").symlink_to("stacks")
    commit(service)
    assert run_update(service).exit_code == 0
    assert (service / "infrastructure").is_symlink()
    commit(service)
    with pytest.raises(ScaffoldError, match="infrastructure is a folder on one side"):
        run_update(service, data={"environments": "dev,qa,prod"})


def test_attributes_of_the_service_replace_those_of_the_kit(tmp_path: Path) -> None:
    """A kit with CRLF, and owners who commit LF: their attributes decide how both renderings are compared."""
    kit = Path(shutil.copytree(generated()[0], tmp_path / "kit"))
    service = new_service(tmp_path)
    for version in ("v3.0.0", "v4.0.0"):
        (kit / "template" / ".gitattributes").write_text("* -text\n")
        lines = "".join(LINES).replace("line 5 ", f"line 5 of {version} ")
        (kit / "template" / "app" / "changed.txt").write_bytes(lines.replace("\n", "\r\n").encode())
        git("-c", "core.autocrlf=false", "add", "--all", cwd=kit)
        git("commit", "-q", "-m", "x", cwd=kit, env=IDENTITY)
        git("tag", version, cwd=kit)
    answers = service / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(generated()[0]), str(kit)))
    commit(service)
    run_update(service, to="v3.0.0")
    (service / ".gitattributes").write_text("*.txt text eol=lf\n")
    append("app/changed.txt", b"ours\n")(service)
    commit(service)
    assert b"\r" not in blob(service, "HEAD:app/changed.txt")

    assert run_update(service).exit_code == 0

    assert (service / ".gitattributes").read_text() == "*.txt text eol=lf\n"
    text = (service / "app" / "changed.txt").read_bytes()
    assert text.endswith(b"ours\n")
    assert b"line 5 of v4.0.0 " in text
    assert b"\r" not in text


def test_a_filter_of_the_repository_is_applied(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    git("config", "filter.upper.clean", "tr a-z A-Z", cwd=service)
    git("config", "filter.upper.smudge", "tr A-Z a-z", cwd=service)
    (service / ".gitattributes").write_text("changed.txt filter=upper\n")
    commit(service)

    assert run_update(service).exit_code == 0

    assert KIT_CHANGE[1] in (service / "app" / "changed.txt").read_bytes()
    git("add", "app/changed.txt", cwd=service)
    assert "LINE 20 OF VERSION 2" in git("cat-file", "blob", ":app/changed.txt", cwd=service)


def test_a_change_follows_a_renamed_file(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    git("mv", "app/changed.txt", "ours.txt", cwd=service)
    append("ours.txt", b"ours\n")(service)
    commit(service)

    result = run_update(service)

    assert actions(result)["ours.txt"] == "update"
    assert not (service / "app" / "changed.txt").exists()
    text = (service / "ours.txt").read_bytes()
    assert KIT_CHANGE[1] in text
    assert text.endswith(b"ours\n")
    assert (result.exit_code, result.not_carried_over) == (0, [])


def test_a_change_that_cannot_follow_is_reported(tmp_path: Path) -> None:
    """A file that was deleted, or renamed and rewritten, stays deleted, as with Copier."""
    service = new_service(tmp_path)
    git("rm", "-q", "app/changed.txt", cwd=service)
    git("rm", "-q", "app/unchanged.txt", cwd=service)
    (service / "ours.txt").write_text("all new\n")
    commit(service)

    result = run_update(service)

    assert result.not_carried_over == ["app/changed.txt"]
    assert not (service / "app" / "changed.txt").exists()
    assert not (service / "app" / "unchanged.txt").exists()
    assert (service / "ours.txt").read_text() == "all new\n"
    assert (result.exit_code, git("ls-files", "--unmerged", cwd=service)) == (0, "")


def test_a_conflict_in_a_binary_file_keeps_ours(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / "app" / "picture.bin").write_bytes(b"\0ours")
    commit(service)

    result = run_update(service)

    assert (service / "app" / "picture.bin").read_bytes() == b"\0ours"
    (conflict,) = result.conflicts
    assert (conflict.path, conflict.lines) == ("app/picture.bin", ())
    assert git("diff", "--name-only", "--diff-filter=U", cwd=service) == "app/picture.bin"
    assert git("rev-parse", ":3:app/picture.bin", cwd=service)


def test_a_file_that_the_kit_deletes_and_we_changed_is_a_conflict(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    append("app/deleted.txt", b"ours\n")(service)
    commit(service)

    result = run_update(service)

    assert (service / "app" / "deleted.txt").read_bytes().endswith(b"ours\n")
    assert [(one.path, one.cause) for one in result.conflicts] == [
        ("app/deleted.txt", "deleted by the kit, changed here")
    ]
    assert "UD app/deleted.txt" in status(service)


def test_a_link_in_place_of_a_changed_file_stays(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / "app" / "changed.txt").unlink()
    (service / "app" / "changed.txt").symlink_to("unchanged.txt")
    commit(service)

    result = run_update(service)

    assert (service / "app" / "changed.txt").is_symlink()
    assert [one.path for one in result.conflicts] == ["app/changed.txt"]
    assert not list((service / "app").glob("*~*"))
    assert git("diff", "--name-only", "--diff-filter=U", cwd=service) == "app/changed.txt"
