"""parse_dockerfile.py finds the stages and images of a Dockerfile; contract.py says what the pipeline misses in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits import ROOT
from tests.service.conftest import run_script
from tests.service.dockerfiles import GO, PYTHON
from tests.service.test_content_hash import write

SCRIPTS = ROOT / "template/config/scripts"


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        return run_script(patch, SCRIPTS / script, subprocess.run, {}, [str(word) for word in words])


@pytest.fixture(scope="module")
def dockerfile():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import parse_dockerfile as module

        yield module
    finally:
        sys.path.remove(str(SCRIPTS))
        sys.modules.pop("parse_dockerfile", None)


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM a", ["a"]),
        ("from a as One\nFROM one\nFROM b AS two\nCOPY --from=TWO x y", ["a", "b"]),
        ("ARG I=a:1\nFROM $I\nFROM ${I}", ["a:1"]),
        ("ARG T=1\nARG I=a:${T}\nFROM ${I:-b}\nFROM ${NONE:-c}\nFROM d${T:+-x}", ["a:1", "c", "d-x"]),
        ('ARG A="a:1" B=b:2\nFROM $A\nFROM "$B"', ["a:1", "b:2"]),
        ("ARG U\nARG X=${U}\nFROM a", ["a"]),
        ("FROM scratch\nCOPY --from=b:1 --chown=1 x y\nCOPY --chown=1 --from=0 x y", ["b:1"]),
        ('FROM a\nRUN --mount=type=bind,"from=b",target=/x --mount=From=c make', ["a", "b", "c"]),
        ("FROM a\nRUN --mount=type=bind,from=b,target=/x --mount=type=cache,target=/y make", ["a", "b"]),
        ("FROM a AS one\nRUN --mount=from=one,target=/x \\\n # why\n\n  make\nCOPY \\\n  --from=b x y", ["a", "b"]),
        ("# escape=`\nFROM `\n  a `\n  AS one\nFROM one", ["a"]),
        ("# syntax=x\n#  Escape = `\nFROM a\nRUN x \\\nFROM b", ["a", "b"]),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c", ["a", "c"]),
        ("FROM a\nCOPY <<-'END' /x\n\tFROM b\n\tEND\nFROM c", ["a", "c"]),
        ("FROM a\nONBUILD COPY --from=b x y", ["a", "b"]),
        ("FROM --platform=$BUILDPLATFORM a AS build-amd64\nFROM build-$TARGETARCH", ["a"]),
        ("FROM a@sha256:" + "1" * 64, ["a@sha256:" + "1" * 64]),
        ("FROM localhost:5000/a/b:1\nFROM public.ecr.aws/docker/library/node:24", [
            *("localhost:5000/a/b:1", "public.ecr.aws/docker/library/node:24"),
        ]),
        ("\ufeffFROM\ta\tAS\tone\r\nFROM one\r\n", ["a"]),
    ],
)  # fmt: skip
def test_every_image_is_found_and_no_stage(text, images, tmp_path):
    (tmp_path / "Dockerfile").write_bytes(text.encode())
    done = run("parse_dockerfile.py", "images", tmp_path / "Dockerfile", "--platform", "linux/amd64")
    assert (done.stdout.split(), done.stderr) == (images, "")


@pytest.mark.parametrize(
    "text",
    [
        "FROM $NONE",
        "ARG I\nFROM ${I}",
        "FROM ${I%:*}",
        "FROM a\nCOPY --from=$I x y",
        "",
        "#",
        "FROM a AS A",
        "FROM docker.io/library/a:latest AS a",
    ],
)
def test_an_image_that_cannot_be_told_from_the_file_is_refused(text, tmp_path):
    (tmp_path / "Dockerfile").write_text(text)
    done = run("parse_dockerfile.py", "images", tmp_path / "Dockerfile")
    assert done.returncode == 1
    assert re.fullmatch(r"\S+: .+\.\n", done.stderr)


def test_build_arguments_replace_defaults(tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG I=a\nFROM $I")
    assert run("parse_dockerfile.py", "images", tmp_path / "Dockerfile", "--build-arg", "I=b").stdout == "b\n"


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("FROM a AS one\nFROM one AS service\nFROM b AS test", "a"),
        ("FROM a AS test\nFROM b", "b"),
        ("FROM a:1 AS a\nFROM a", "a:1"),
        ("FROM a\nFROM scratch", ""),
    ],
)
def test_the_base_is_that_of_the_released_stage(text, base, tmp_path):
    (tmp_path / "Dockerfile").write_text(text)
    assert run("parse_dockerfile.py", "base", tmp_path / "Dockerfile").stdout.strip() == base


stage_names = st.sampled_from(["one", "Two", "three"])
references = st.sampled_from(["a:1", "b", "one", "two", "three", "r.example/c@sha256:" + "1" * 64])


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(references, st.one_of(st.none(), stage_names), st.lists(references, max_size=2)), min_size=1))
def test_images_are_what_no_stage_is_called(dockerfile, stages):
    lines, expected, before = [], set(), set()
    every = {name.lower() for _, name, _ in stages if name}
    for base, name, sources in stages:
        lines.append(f"FROM {base}" + (f" AS {name}" if name else ""))
        lines += [f"COPY --from={source} x y" for source in sources]
        expected |= ({base} - before) | (set(sources) - every)
        before |= {name.lower()} if name else set()
    if expected & every:
        with pytest.raises(dockerfile.Unclear, match="name of a stage and of an image"):
            dockerfile.Dockerfile("\n".join(lines), {})
    else:
        assert set(dockerfile.Dockerfile("\n".join(lines), {}).images) == expected


class TestContract:
    """The service with Dockerfiles of its own."""

    @staticmethod
    def with_app(service: Path, files: dict[str, bytes], *, health_check: bool = False) -> Path:
        shutil.rmtree(service / "app")
        write(service / "app", files)
        if not health_check:
            for path in service.glob("infrastructure/*/task-definition.yaml"):
                text = re.sub(r"(?ms)^ +# The image has node.*?(?=^ +# Seconds from SIGTERM)", "", path.read_text())
                assert "HealthCheck" not in text
                path.write_text(text)
        return service

    @staticmethod
    def problem(service: Path) -> list[str]:
        script = service / "config/scripts/contract.py"
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) in ((0, 0), (1, 2)), done.stderr
        return lines

    def test_the_generated_service_meets_it(self, service):
        assert self.problem(service) == []

    def test_the_example_of_the_readme_is_among_them(self, generated):
        (example,) = re.findall(r"(?s)```dockerfile\n(.*?)```", (generated / "README.md").read_text())
        assert example.encode() == PYTHON["Dockerfile"]

    @pytest.mark.parametrize("files", [PYTHON, GO], ids=["python", "go"])
    def test_dockerfiles_that_follow_the_readme_meet_it(self, service, files):
        assert self.problem(self.with_app(service, files)) == []

    @pytest.mark.parametrize("files", [PYTHON, GO], ids=["python", "go"])
    def test_the_health_check_has_to_change(self, service, files):
        missing, remedy = self.problem(self.with_app(service, files, health_check=True))
        assert "task-definition.yaml runs node" in missing
        assert "delete HealthCheck" in remedy

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("AS test", "AS tests", "no stage test"),
            ("AS service", "AS test", "ends with the stage test"),
            ("EXPOSE 8080", "EXPOSE 80/tcp", "exposes port 80, but infrastructure/dev/task-definition.yaml sends"),
            ("junit.xml", "results.xml", "mentions junit.xml"),
            ("python:3.12-slim", "python:$VERSION", "needs a value for VERSION"),
        ],
    )
    def test_it_names_what_is_missing(self, service, old, new, words):
        text = PYTHON["Dockerfile"].decode()
        assert old in text
        missing, remedy = self.problem(self.with_app(service, PYTHON | {"Dockerfile": text.replace(old, new).encode()}))
        assert words in missing
        assert remedy.endswith(".")

    @pytest.mark.parametrize(
        "line",
        [
            "# syntax=docker/dockerfile:1",
            "#Syntax = a/b",
            "# escape=\\\n# syntax=a",
            "#!/x\n// syntax=a",
            "\ufeff#syntax=a",
        ],
    )
    def test_an_image_that_is_not_pinned_may_not_build(self, service, line):
        text = PYTHON["Dockerfile"].decode()
        files = PYTHON | {"Dockerfile": f"{line}\n{text}".encode()}
        assert (
            "in `# syntax=`, an image that the pipeline does not pin" in self.problem(self.with_app(service, files))[0]
        )
        later = PYTHON | {"Dockerfile": f"{text}# syntax=a\n".encode()}
        assert self.problem(self.with_app(service, later)) == []

    @pytest.mark.parametrize("line", ["", "VOLUME /tmp/x", "VOLUME /tmp", 'volume ["/data", "/tmp"]', "VOLUME /a /tmp"])
    def test_a_volume_of_the_task_has_to_be_declared(self, service, line):
        for path in service.glob("infrastructure/*/task-definition.yaml"):
            points = "MountPoints:\n            - {SourceVolume: tmp, ContainerPath: /tmp}\n          PortMappings:"
            path.write_text(path.read_text().replace("PortMappings:", points))
        text = PYTHON["Dockerfile"].decode()
        found = self.problem(self.with_app(service, PYTHON | {"Dockerfile": f"{text}{line}\n".encode()}))
        if line in ("", "VOLUME /tmp/x"):
            assert "mounts a volume at /tmp, which app/Dockerfile does not declare" in found[0]
        else:
            assert found == []

    def test_tests_are_left_out_only_if_the_dockerfile_says_so(self, service):
        files = {"Dockerfile": b"FROM python:3.12-slim\n"}
        assert "no stage test" in self.problem(self.with_app(service, files))[0]
        write(service / "app", {"Dockerfile": b"# Tests: none, they run elsewhere\nFROM python:3.12-slim\n"})
        assert self.problem(service) == []

    def test_without_a_dockerfile(self, service):
        (service / "app/Dockerfile").unlink()
        assert self.problem(service)[0] == "app/Dockerfile is missing."
