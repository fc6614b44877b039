#!/usr/bin/env python3
"""Check that an environment is healthy and runs the version that was just deployed.

    SERVICE_URL=http://... EXPECTED_VERSION=... [ENVIRONMENT_NAME=dev] smoke_test.py

Passes when /health and / are right several times in a row, each over a new connection, since there are
several tasks behind the load balancer. Exit codes: 0 passed, 1 failed, 2 called wrongly.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

REQUEST_SECONDS = 5
LARGEST_ANSWER = 1_000_000


class Wrong(Exception):
    """What is wrong with an answer, as the end of a sentence."""


def get(url: str) -> str:
    """Fetch a URL over a new connection; anything but 200 is wrong."""
    request = urllib.request.Request(url, headers={"User-Agent": "smoke-test", "Accept": "application/json"})
    path = urllib.parse.urlparse(url).path
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
            content: bytes = response.read(LARGEST_ANSWER)
            return content.decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        body = error.read(200).decode("utf-8", "replace").strip()
        raise Wrong(f"{path} answers {error.code} {body}".rstrip()) from error
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"{path} cannot be reached: {getattr(error, 'reason', None) or error}") from error


def check(base: str, version: str, environment: str) -> None:
    """Ask once; raise Wrong where something is not as it should be."""
    get(f"{base}/health")
    text = get(f"{base}/")
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Wrong(f"/ does not answer JSON but {text[:80]!r}") from error
    if not isinstance(answer, dict) or "version" not in answer:
        raise Wrong(f"/ names no version: {text[:80]!r}")
    if answer["version"] != version:
        raise Wrong(f"/ answers version {answer['version']!r} instead of {version!r}")
    if environment and answer.get("environment") != environment:
        raise Wrong(f"/ answers as environment {answer.get('environment')!r} instead of {environment!r}")


def watch(base: str, version: str, environment: str, times: int, seconds: float, interval: float) -> str | None:
    """Ask until it was right some times in a row, and return None; or return what was wrong last.

    Args:
        base: The URL of the service, without a slash at the end.
        version: The version that must answer.
        environment: The environment that must answer, or an empty string.
        times: How many right answers in a row are wanted.
        seconds: How long to try.
        interval: The pause between two tries.
    """
    deadline = time.monotonic() + seconds
    in_a_row, problem = 0, "it was never asked"
    while True:
        try:
            check(base, version, environment)
            in_a_row += 1
            print(f"right {in_a_row} of {times}", flush=True)
            if in_a_row == times:
                return None
            problem = f"it was right only {in_a_row} of {times} times in a row"
        except Wrong as wrong:
            if str(wrong) != problem or in_a_row:
                print(f"not yet: {wrong}", flush=True)
            in_a_row, problem = 0, str(wrong)
        if time.monotonic() + interval > deadline:
            return problem
        time.sleep(interval)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="right answers in a row (5)")
    parser.add_argument("--seconds", type=float, default=300, help="how long to try (300)")
    parser.add_argument("--interval", type=float, default=3, help="seconds between two tries (3)")
    arguments = parser.parse_args()

    base = os.environ.get("SERVICE_URL", "").rstrip("/")
    version = os.environ.get("EXPECTED_VERSION", "")
    environment = os.environ.get("ENVIRONMENT_NAME", "")
    if not base.startswith(("http://", "https://")) or not version:
        print("Set SERVICE_URL (http://... or https://...) and EXPECTED_VERSION.", file=sys.stderr)
        return 2

    place = environment or base
    print(f"Waiting for version {version} in {place} at {base}", flush=True)
    problem = watch(base, version, environment, arguments.times, arguments.seconds, arguments.interval)
    if problem:
        print(f"Smoke test failed: after {arguments.seconds:g} s in {place}, {problem}.", file=sys.stderr)
        return 1
    print(f"Smoke test passed: {place} is healthy and runs version {version}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
