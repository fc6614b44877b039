"""A fake container engine: builds a small OCI image from the build context and pushes it to a real registry.

It implements the calls of the service's scripts and rejects all others. Settings (settings.json in the state
directory):

    base      the hexadecimal digest of every base image (default: 64 times "b")
    pulls     how many of the next pulls fail (default: 0)
    tests     "pass" (default), "fail", "no-report", or "real": run the image's command with the host's npm
    failing   the beginning of the names of containers in which the tests fail, whatever "tests" says
    modules   the path of node_modules for "real"
    push      "works" (default), "fails", or "loses": another client pushes the tag first
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

REPORT = '<testsuites><testsuite name="s" tests="1"><testcase name="t"/></testsuite></testsuites>\n'


def main() -> int:
    state = Path(sys.argv[1])
    words = sys.argv[2:]
    with (state / "calls.jsonl").open("a") as log:
        log.write(json.dumps(words) + "\n")
    settings = json.loads((state / "settings.json").read_text())
    if words[:3] == ["buildx", "imagetools", "inspect"]:
        return inspect(words[3:], settings)
    if words[:2] == ["buildx", "build"]:
        return build(state, words[2:], settings)
    for name, command in (("login", login), ("pull", pull), ("run", run), ("cp", copy), ("rm", remove)):
        if words[:1] == [name]:
            return command(state, words[1:], settings)
    return refuse(words)


def refuse(words: list[str]) -> int:
    print(f"unknown call: docker {' '.join(words)}", file=sys.stderr)
    return 125


def inspect(words: list[str], settings: dict) -> int:
    if len(words) != 3 or words[1:] != ["--format", "{{.Manifest.Digest}}"]:
        return refuse(words)
    if settings.get("base") == "unreachable":
        print("ERROR: dial tcp: lookup public.ecr.aws: no such host", file=sys.stderr)
        return 1
    print("sha256:" + settings.get("base", "b" * 64))
    return 0


def login(state: Path, words: list[str], settings: dict) -> int:
    password = sys.stdin.read()
    if words[:3] != ["--username", "AWS", "--password-stdin"] or len(words) != 4 or not password.strip():
        return refuse(words)
    print("Login Succeeded")
    return 0


def pull(state: Path, words: list[str], settings: dict) -> int:
    if len(words) != 4 or words[:2] != ["--quiet", "--platform"] or "@sha256:" not in words[3]:
        return refuse(words)
    pulled = [line for line in (state / "calls.jsonl").read_text().splitlines() if json.loads(line)[0] == "pull"]
    if len(pulled) <= settings.get("pulls", 0):
        print("toomanyrequests: Rate exceeded", file=sys.stderr)
        return 1
    print(words[3])
    return 0


def build(state: Path, words: list[str], settings: dict) -> int:
    parser = argparse.ArgumentParser()
    for flag in ("--load", "--push"):
        parser.add_argument(flag, action="store_true")
    for option in ("--platform", "--provenance", "--sbom", "--tag"):
        parser.add_argument(option, required=True)
    parser.add_argument("--target")
    for option in ("--label", "--build-arg", "--build-context", "--secret"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("context", type=Path)
    options = parser.parse_args(words)
    stages = [line.split()[-1] for line in (options.context / "Dockerfile").read_text().splitlines() if " AS " in line]
    pinned = [re.fullmatch(r"(\S+)=docker-image://\1@sha256:\w{64}", context) for context in options.build_context]
    if (options.target and options.target not in stages) or not all(pinned):
        return refuse(words)
    if options.load:
        shutil.copytree(
            options.context,
            state / "images" / options.tag,
            ignore=shutil.ignore_patterns("node_modules", "reports"),
            dirs_exist_ok=True,
        )
    if options.push:
        if settings.get("push") == "fails":
            print("ERROR: failed to push: 500 Internal Server Error", file=sys.stderr)
            return 1
        registry = Registry(options.tag)
        if settings.get("push") == "loses":
            registry.push(options.context, [*options.label, "pushed.by=somebody-else"])
        return registry.push(options.context, options.label)
    return 0


def run(state: Path, words: list[str], settings: dict) -> int:
    if len(words) != 3 or words[0] != "--name":
        return refuse(words)
    container = state / "containers" / words[1]
    shutil.copytree(state / "images" / words[2], container)
    (container / "reports").mkdir()
    how = settings.get("tests", "pass")
    if how == "real":
        (container / "node_modules").symlink_to(settings["modules"])
        last = [line for line in (container / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")][-1]
        return subprocess.run(json.loads(last.removeprefix("CMD ")), cwd=container, check=False).returncode
    if how != "no-report":
        (container / "reports" / "junit.xml").write_text(REPORT)
    failing = settings.get("failing")
    return 0 if how == "pass" and not (failing and words[1].startswith(failing)) else 1


def copy(state: Path, words: list[str], settings: dict) -> int:
    container, _, path = words[0].partition(":")
    source = state / "containers" / container / path.removeprefix("/app/")
    if len(words) != 2 or not path.startswith("/app/"):
        return refuse(words)
    if not source.exists():
        print(f"Could not find the file {path} in container {container}", file=sys.stderr)
        return 1
    shutil.copy(source, words[1])
    return 0


def remove(state: Path, words: list[str], settings: dict) -> int:
    if len(words) != 2 or words[0] != "--force":
        return refuse(words)
    shutil.rmtree(state / "containers" / words[1])
    return 0


class Registry:
    """A repository of the local registry, through the OCI distribution API."""

    def __init__(self, reference: str) -> None:
        path, _, self.tag = reference.partition("/")[2].rpartition(":")
        self.base = f"{os.environ['AWS_ENDPOINT_URL']}/v2/{path}"

    def push(self, context: Path, labels: list[str]) -> int:
        layer = gzip.compress(tar(context / "src"), mtime=0)
        config = json.dumps({"config": {"Labels": dict(label.split("=", 1) for label in labels)}}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [self.blob(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        try:
            self.send("PUT", f"/manifests/{self.tag}", json.dumps(manifest).encode(), manifest["mediaType"])
        except urllib.error.HTTPError as error:
            print(f"ERROR: failed to push: {error.read().decode()}", file=sys.stderr)
            return 1
        return 0

    def blob(self, content: bytes, media_type: str) -> dict:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.send("POST", f"/blobs/uploads/?digest={digest}", content, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def send(self, method: str, path: str, content: bytes, media_type: str) -> None:
        request = urllib.request.Request(self.base + path, content, {"Content-Type": media_type}, method=method)
        urllib.request.urlopen(request, timeout=10).close()


def tar(root: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            info = archive.gettarinfo(path, f"app/src/{path.relative_to(root)}")
            info.mtime = 0
            if path.is_file():
                with path.open("rb") as content:
                    archive.addfile(info, content)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
