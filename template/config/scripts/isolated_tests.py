"""Runs tests that anyone may change: they get the address of the environment, and no credentials."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import group_tests

PASSED_ON = ("HOME", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "NODE_EXTRA_CA_CERTS", "NO_PROXY", "PATH", "TMPDIR", "TZ")
OF_TESTS = ("ENVIRONMENT_NAME", "EXPECTED_VERSION", "SERVICE_URL")


def run(command: Sequence[str], folder: Path, seconds: float) -> int | None:
    """Run a command in a folder; return its exit code, or None at the timeout."""
    variables = {name: os.environ[name] for name in (*PASSED_ON, *OF_TESTS) if name in os.environ}
    # A group of its own, since a test may have started processes that outlive it.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**variables, "CI": "true"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # Where no process of it is left.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_single(report: Path, kind: str, name: str, verdict: str, reason: str) -> None:
    """Write a report with one test, since CodeBuild requires the report that the buildspec declares.

    Args:
        report: The file.
        kind: What kind of test it is.
        name: Its name.
        verdict: `skipped` or `failure`.
        reason: Why it was skipped or has failed.
    """
    suites = ElementTree.Element("testsuites")
    test = ElementTree.SubElement(suites, "testcase", name=name, classname=kind, time="0")
    ElementTree.SubElement(test, verdict, message=reason)
    group_tests.group(suites)
    ElementTree.ElementTree(suites).write(report, encoding="utf-8", xml_declaration=True)
