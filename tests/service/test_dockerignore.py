"""content_hash.py reads .dockerignore as Docker does: compared with an independent reading and Docker's client."""

from __future__ import annotations

import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.conftest import MACHINE
from tests.service.test_content_hash import module, write


class Refused(Exception):
    """A pattern that Docker refuses."""


def matches(pattern: str, path: str) -> bool:
    """Whether a cleaned pattern matches a whole path, by the rules of moby/patternmatcher."""
    if not set("*?[]\\") & set(pattern):
        return path == pattern
    if not set("*?[]\\") & set(pattern.removesuffix("**")) and len(pattern) > 2:
        return path.startswith(pattern.removesuffix("**"))
    if pattern.startswith("**") and not set("*?[]\\") & set(pattern[2:]):
        rest = pattern[2:]
        return path.endswith(rest) or (rest[:1] == "/" and path == rest[1:])
    return glob(pattern, path)


def glob(pattern: str, path: str) -> bool:
    if not pattern:
        return not path
    if pattern.startswith("**"):
        rest = pattern[2:].removeprefix("/")
        if not rest:
            return "\n" not in path
        ends = [0] + [end + 1 for end, character in enumerate(path) if character == "/"]
        return any(glob(rest, path[end:]) for end in ends)
    if pattern[0] == "*":
        segment = len(path.partition("/")[0])
        return any(glob(pattern[1:], path[end:]) for end in range(segment + 1))
    if pattern[0] == "[":
        if not path:
            return False
        inside, rest = bracket(pattern)
        return inside(path[0]) and glob(rest, path[1:])
    if pattern[0] == "?":
        return path[:1] not in ("", "/") and glob(pattern[1:], path[1:])
    if pattern[0] == "\\":
        pattern = pattern[1:]
    return path[:1] == pattern[:1] and glob(pattern[1:], path[1:])


def bracket(pattern: str) -> tuple[Callable[[str], bool], str]:
    """The members of a character class, and the pattern behind it."""
    body, closed, rest = pattern[1:].partition("]")
    assert closed
    negated = body.startswith("^")
    body = body.removeprefix("^")
    allowed: set[str] = set()
    while body:
        if body[1:2] == "-":
            allowed |= {chr(code) for code in range(ord(body[0]), ord(body[2]) + 1)}
            body = body[3:]
        else:
            allowed.add(body[0])
            body = body[1:]
    return (lambda character: (character in allowed) != negated), rest


def lexical(path: str) -> str:
    """The path without empty and `.` segments, and with `..` resolved."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == ".." and segments and segments[-1] != "..":
            segments.pop()
        elif segment not in ("", ".") and not (segment == ".." and path.startswith("/")):
            segments.append(segment)
    return ("/" if path.startswith("/") else "") + "/".join(segments) or "."


def cleaned(text: str) -> list[tuple[str, bool]]:
    """The patterns of .dockerignore, and whether each is an exception."""
    found = []
    for number, line in enumerate(text.split("\n")):
        line = line.removeprefix("\ufeff") if number == 0 else line
        words = line.strip(" \t\r")
        if line.startswith("#") or not words:
            continue
        mark = "!" if words[0] == "!" else ""
        words = words[len(mark) :].strip(" \t\r")
        words = lexical(words) if words else ""
        words = words[1:] if words[:1] == "/" and words != "/" else words
        # Docker cleans again and looks for the mark only then: ./!a is an exception, !../../a is none.
        pattern = lexical((mark + words).strip(" \t\r"))
        if pattern == "!":
            raise Refused(line)
        found.append((pattern.removeprefix("!"), pattern.startswith("!")))
    return found


def sent(text: str, paths: list[str]) -> set[str]:
    """The files that BuildKit sends; a directory hands its matches on to what is below."""
    rules = cleaned(text)
    memory: dict[str, list[bool]] = {"": [False] * len(rules)}

    def excluded(path: str) -> bool:
        parent = path.rpartition("/")[0]
        if parent not in memory:
            excluded(parent)
        memory[path], result = [], False
        for (pattern, exception), inherited in zip(rules, memory[parent], strict=True):
            hit = inherited
            if not hit and exception == result:
                hit = matches(pattern, path)
            memory[path].append(hit)
            if hit:
                result = not exception
        return result

    return {path for path in paths if not excluded(path)}


names = st.sampled_from(["a", "b", "ab", "a.js", "b.log", "c-d", "é", "#a", "!a", "a b", "[a]", ".env", "A"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
pieces = st.sampled_from(
    [
        *("a", "b", "ab", "a.js", "b.log", "A", ".env", "a b", "é", ".", "..", ""),
        *("*", "**", "?", "***", "*.js", "a*", "?b", "a**", "**b", "a**b", "*.*"),
        *("[ab]", "[^a]", "[a-c]*", "[a-b].js", "{a,b}", "#a", "!a", "\\*", "\\#a", "\\!a"),
    ]
)
patterns = st.builds(
    lambda before, mark, slash, parts, after: f"{before}{mark}{slash}{'/'.join(parts)}{after}",
    st.sampled_from(["", "", "", " ", "\t"]),
    st.sampled_from(["", "", "!", "! "]),
    st.sampled_from(["", "", "", "/", "./"]),
    st.lists(pieces, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " ", "\r"]),
)
files = st.builds(
    lambda mark, lines: mark + "\n".join(lines),
    st.sampled_from(["", "", "\ufeff"]),
    st.lists(st.one_of(patterns, patterns, st.sampled_from(["# a", "", "#", "!"])), max_size=6),
)
EVERYWHERE = [
    f"{one}{two}" for one in ("", "a/", "b/", "ab/b/") for two in ("a", "b", "a.js", "b.log", "#a", "!a", "é")
]


@given(files, st.lists(paths, max_size=6))
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
def test_it_excludes_what_docker_excludes(text: str, more: list[str]) -> None:
    compare(text, more)


@pytest.mark.slow
@given(files, st.lists(paths, max_size=6))
@settings(max_examples=3_000, deadline=None, database=None)
def test_it_always_excludes_what_docker_excludes(text: str, more: list[str]) -> None:
    compare(text, more)


def compare(text: str, more: list[str]) -> None:
    ignore = module.Ignore(text)
    try:
        expected = sent(text, EVERYWHERE + more)
    except Refused:
        expected = set(EVERYWHERE + more)
    assert {path for path in EVERYWHERE + more if not ignore.excludes(path)} == expected


@pytest.mark.parametrize(
    "pattern",
    ["[", "[]", "[]a]", "[a-]", "[-a]", "[b-a]", "a\\", "!", "!/", "[a*]", "[[:alpha:]]", "\\d", "a^*", "a|*", "*a{2}"],
)
def test_with_a_pattern_that_is_not_understood_everything_is_included(pattern: str) -> None:
    for text in (f"node_modules\n{pattern}", f"{pattern}\n*"):
        assert not module.Ignore(text).excludes("node_modules/a")


@contextmanager
def build_daemon() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a Docker daemon that keeps the build contexts it gets."""
    contexts: list[bytes] = []

    class Daemon(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(b"OK" if self.path.endswith("_ping") else b"{}")

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            content = b""
            if self.headers["Transfer-Encoding"] == "chunked":
                while size := int(self.rfile.readline(), 16):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            contexts.append(content)
            self.reply(b"{}")

        def reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Api-Version", "1.44")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}", contexts
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@given(files)
@settings(max_examples=60, deadline=None, database=None)
def test_it_includes_all_that_the_client_of_docker_sends(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """The classic client applies the same rules, except that it skips excluded directories more eagerly."""
    docker = shutil.which("docker", path=MACHINE["PATH"])
    if not docker:
        pytest.skip("the client of Docker is not installed")
    context = tmp_path_factory.mktemp("context")
    write(context, {name: b"" for name in EVERYWHERE if name not in ("a", "b")})
    write(context, {"Dockerfile": b"FROM scratch\n", ".dockerignore": text.encode()})
    with build_daemon() as (address, contexts):
        environment = {**os.environ, "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            [docker, "build", "."], cwd=context, env=environment, capture_output=True, text=True, check=False
        )
    if not contexts:
        assert "exclu" in done.stderr, done.stderr
        assert module.Ignore(text).rules == []
        return
    with tarfile.open(fileobj=io.BytesIO(contexts[0])) as archive:
        received = {member.name for member in archive if member.isfile()}
    hashed = {path for path, file in module.context(context) if file.is_file()}
    assert received <= hashed
    if "!" not in text:
        assert hashed - {"Dockerfile", ".dockerignore"} == received - {"Dockerfile", ".dockerignore"}


def test_the_file_of_the_dockerfile_takes_precedence(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"", "b": b"", ".dockerignore": b"a\n", "Dockerfile": b"", "Dockerfile.dockerignore": b"b\n"})
    assert [path for path, _ in module.context(tmp_path)] == [
        *(".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"),
    ]
