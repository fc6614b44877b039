"""The calls of build scripts, one after the other."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.engine.images import node
from scaffold.engine.images.registry import Repository
from scaffold.engine.tasks.images import Images
from tests.engine.images.conftest import ROOT, Docker, write_app

HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app")


def fetch(local: dict[str, str], path: str) -> bytes:
    with urllib.request.urlopen(f"{local['AWS_ENDPOINT_URL']}/v2/{path}", timeout=10) as response:
        content: bytes = response.read()
        return content


def repository(local: dict[str, str], name: str) -> Any:
    ecr = boto3.Session().client(
        "ecr",
        region_name="us-east-1",
        endpoint_url=local["AWS_ENDPOINT_URL"],
        aws_access_key_id=local["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=local["AWS_SECRET_ACCESS_KEY"],
    )
    ecr.create_repository(repositoryName=name)
    return ecr


def succeeded(done: Any) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_stage_test_is_run_and_its_report_copied(docker, app, tmp_path):
    succeeded(docker("buildx", "build", "--target", "test", "--load", "--tag", "tests:1", app))
    done = docker("run", "--name", "one", "tests:1")
    succeeded(done)
    assert "node --check src/main.js" in done.stdout
    succeeded(docker("cp", "one:/app/reports/junit.xml", tmp_path / "junit.xml"))
    assert 'name="works"' in (tmp_path / "junit.xml").read_text()
    assert not (app / "reports").exists()
    done = docker("cp", "one:/app/reports/other.xml", tmp_path)
    assert (done.returncode, "Could not find the file" in done.stderr) == (1, True)
    succeeded(docker("rm", "--force", "one"))
    assert docker("cp", "one:/app/reports/junit.xml", tmp_path).returncode == 1


@pytest.mark.slow
def test_failing_tests_fail_the_container_and_leave_their_report(docker, tmp_path):
    app = write_app(tmp_path / "app", broken=True)
    succeeded(docker("buildx", "build", "--target", "test", "--load", "--tag", "tests:1", app))
    assert docker("run", "--name", "one", "tests:1").returncode == 1
    succeeded(docker("cp", "one:/app/reports/junit.xml", tmp_path / "junit.xml"))
    assert "broken" in (tmp_path / "junit.xml").read_text()


@pytest.mark.slow
def test_the_released_image_in_the_registry(docker, app, local):
    ecr = repository(local, "shop")
    words = ["--target", "service", "--push", "--platform", "linux/arm64", "--label", "a.b=c"]
    done = docker("buildx", "build", *words, "--tag", f"{HOST}/shop:1", "--tag", f"{HOST}/shop:2", app)
    succeeded(done)
    assert "without a container engine: Node v" in done.stderr
    (image,) = ecr.describe_images(repositoryName="shop", imageIds=[{"imageTag": "1"}])["imageDetails"]
    assert sorted(image["imageTags"]) == ["1", "2"]  # The same bytes.

    manifest = json.loads(fetch(local, f"shop/manifests/{image['imageDigest']}"))
    config = json.loads(fetch(local, f"shop/blobs/{manifest['config']['digest']}"))
    assert config["architecture"] == "arm64"
    assert config["config"] == {
        "Entrypoint": ["node", "src/main.js"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NODE_ENV=production"],
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": {"a.b": "c", "io.gitops-scaffold.process": "node"},
        "User": "1000:1000",
        "WorkingDir": "/app",
    }
    names: list[str] = []
    for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        content = gzip.decompress(fetch(local, f"shop/blobs/{layer['digest']}"))
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == diff
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            assert {(entry.uid, entry.mtime) for entry in archive} == {(0, 0)}
            names += archive.getnames()
    assert {"app/package.json", "app/src/main.js", "app/node_modules/thing"} <= set(names)
    assert "app/test/app.test.js" not in names


@pytest.mark.slow
def test_a_task_can_unpack_and_start_it(docker, app, local, tmp_path):
    ecr = repository(local, "task")
    succeeded(docker("buildx", "build", "--push", "--tag", f"{HOST}/task:1", app))
    (image,) = ecr.describe_images(repositoryName="task")["imageDetails"]
    pulled = Images(local["AWS_ENDPOINT_URL"], tmp_path / "tasks").pull(f"{HOST}/task@{image['imageDigest']}")
    found = node.find(os.environ["PATH"])
    command = [found.program, *pulled.config["Entrypoint"][1:]]
    directory = pulled.root / pulled.config["WorkingDir"].lstrip("/")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("started")


def _layer(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_the_sbom_of_a_pushed_image(local, tmp_path):
    """Layers are read in order, with what they hide; the password comes from a variable."""
    repository(local, "listed")
    pushed = Repository(local["AWS_ENDPOINT_URL"], f"{HOST}/listed", {HOST: "QVdTOnBhc3N3b3Jk"})
    modules = "app/node_modules"
    labels = {"org.opencontainers.image.base.name": "node:24", "org.opencontainers.image.base.digest": "sha256:1"}
    digest = pushed.push_layers(
        "1",
        json.dumps({"config": {"Labels": labels}}).encode(),
        [
            _layer(
                {
                    "var/lib/dpkg/status": "Package: curl\nStatus: install ok installed\nVersion: 8.14.1-2+deb13u1\n\n"
                    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
                    f"{modules}/old/package.json": '{"name": "old", "version": "1.0.0"}',
                    f"{modules}/old/lib/package.json": '{"name": "inner", "version": "1.0.0"}',
                }
            ),
            _layer(
                {
                    f"{modules}/.wh.old": "",
                    f"./{modules}/@scope/new/package.json": '{"name": "@scope/new", "version": "2.0.0"}',
                    f"{modules}/odd/package.json": "{",
                    "lib/apk/db/installed": "P:musl\nV:1.2.5-r9\n",
                }
            ),
        ],
    )
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"endpoint": local["AWS_ENDPOINT_URL"]}))
    program = "import sys; from scaffold.engine.images.sbom import main; sys.exit(main())"
    words = ["container", "--image", f"{HOST}/listed@{digest}", "--outfile", str(tmp_path / "sbom.json")]
    variables = {"INSPECTOR_SBOMGEN_USERNAME": "AWS", "INSPECTOR_SBOMGEN_PASSWORD": "password"}
    found = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(folder), *words, "--disable-progress-bar"]
    succeeded(subprocess.run(command, env=found, capture_output=True, text=True, check=False))
    sbom = json.loads((tmp_path / "sbom.json").read_text())
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    assert {one.get("purl", f"{one['name']}@{one['version']}") for one in sbom["components"]} == {
        "node:24@sha256:1",
        "pkg:deb/debian/curl@8.14.1-2%2Bdeb13u1",
        "pkg:npm/%40scope/new@2.0.0",
        "pkg:apk/alpine/musl@1.2.5-r9",
    }
    command[command.index("--image") + 1] = f"{HOST}/listed@sha256:{'0' * 64}"
    missing = subprocess.run(command, env=found, capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stderr.startswith("ERROR: failed to pull: 404")) == (1, True), missing.stderr


@pytest.mark.slow
def test_packages_are_installed_once_for_the_same_files(docker, app):
    words = ("buildx", "build", "--target", "dependencies", "--load", "--tag", "one:1", app)
    assert "CACHED" not in docker(*words).stderr
    done = docker(*words)
    succeeded(done)
    assert "CACHED npm ci" in done.stderr
    (app / "package.json").write_text((app / "package.json").read_text() + "\n")
    assert "CACHED" not in docker(*words).stderr


@pytest.mark.slow
def test_the_same_files_give_the_same_digest(docker, app, local):
    ecr = repository(local, "same")
    for tag in ("1", "2"):
        succeeded(docker("buildx", "build", "--push", "--tag", f"{HOST}/same:{tag}", app))
        (app / "src/main.js").touch()
    (app / "src/main.js").write_text("// another one\n")
    succeeded(docker("buildx", "build", "--push", "--tag", f"{HOST}/same:3", app))
    images = ecr.describe_images(repositoryName="same")["imageDetails"]
    assert sorted(sorted(image["imageTags"]) for image in images) == [["1", "2"], ["3"]]


def test_what_needs_no_network(docker):
    image = "public.ecr.aws/docker/library/node:24"
    first, second = (docker("buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}") for _ in "ab")
    assert first.stdout == second.stdout
    assert first.stdout.startswith("sha256:")
    assert len(first.stdout.strip()) == 71
    succeeded(docker("pull", "--quiet", "--platform", "linux/amd64", f"{image}@{first.stdout.strip()}"))
    succeeded(docker("login", "--username", "AWS", "--password-stdin", "public.ecr.aws", given="x\n"))
    assert docker("login", "--username", "AWS", "--password-stdin", "public.ecr.aws").returncode == 1


def test_a_container_does_not_run_in_a_folder_of_the_host(docker: Docker, app: Path, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (app / "link").symlink_to(tmp_path / "host")
    (app / "Dockerfile").write_text(BASE + 'COPY link /later\nWORKDIR /work\nCMD ["sh", "-c", "touch ran"]\n')
    succeeded(docker("buildx", "build", "--load", "--tag", "a:1", app))
    (tagged,) = (tmp_path / "build/docker/images").iterdir()
    image = json.loads(tagged.read_text())
    tagged.write_text(json.dumps(image | {"config": image["config"] | {"WorkingDir": "/later"}}))
    done = docker("run", "a:1")
    assert (done.returncode, "leads out of the image" in done.stderr) == (1, True)
    assert list((tmp_path / "host").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["compose", "up"],
        ["run", "--privileged", "tests:1"],
        ["run", "tests:1"],
        ["buildx", "build", "--push", "--tag", "docker.io/me/app:1", "app"],
        ["buildx", "build", "--build-context", "node=../other", "app"],
        ["push", "a:b"],
        ["buildx", "imagetools", "inspect", "node", "--raw"],
    ],
)
def test_other_calls_are_refused(docker: Docker, app: Path, words: list[str]) -> None:
    done = docker(*words)
    assert done.returncode == 1
    assert "needs a container engine, and local AWS builds without one" in done.stderr
    assert "Traceback" not in done.stderr


BASE = "FROM node:24\nWORKDIR /app\n"


@pytest.mark.parametrize(
    ("dockerfile", "what"),
    [
        ("FROM python:3.13\n", "An image on python:3.13"),
        ("FROM scratch\n", "An image on scratch"),
        ("FROM node-exporter:1\n", "An image on node-exporter:1"),
        (BASE + "RUN apt-get update\n", "RUN apt-get update"),
        (BASE + "RUN npm ci && touch /tmp/pwned\n", "RUN npm ci && touch /tmp/pwned"),
        (BASE + "RUN npm ci; rm -rf /\n", "RUN npm ci; rm -rf /"),
        (BASE + "RUN rm -rf $HOME\n", "RUN rm -rf $HOME"),
        (BASE + "RUN mkdir `id`\n", "RUN mkdir `id`"),
        (BASE + "RUN npm ci --script-shell=/bin/sh\n", "RUN npm ci --script-shell=/bin/sh"),
        (BASE + 'RUN ["npm", "ci"]\n', 'RUN ["npm", "ci"]'),
        (BASE + "RUN --mount=type=cache,target=/root/.npm npm ci\n", "RUN --mount=type=cache,target=/root/.npm npm ci"),
        (BASE + "RUN <<EOF\nnpm ci\nEOF\n", "The here-document of RUN"),
        (BASE + "ADD https://example.com/a.tgz /a\n", "ADD https://example.com/a.tgz /a"),
        (BASE + "COPY --from=busybox /bin/sh /sh\n", "COPY --from=busybox /bin/sh /sh"),
        (BASE + "ONBUILD RUN true\n", "ONBUILD RUN true"),
    ],
)
def test_what_a_dockerfile_may_not_have(docker: Docker, tmp_path: Path, dockerfile: str, what: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text(dockerfile)
    done = docker("buildx", "build", "--load", "--tag", "a:1", "app")
    assert done.returncode == 1
    assert f"ERROR: {what} needs a container engine" in done.stderr
