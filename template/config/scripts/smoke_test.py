#!/usr/bin/env python3
"""Test that an environment is healthy and runs the deployed version.

    SERVICE_URL=http://... EXPECTED_VERSION=... [ENVIRONMENT_NAME=dev] [HEALTH_PATH=/health] smoke_test.py

Passes when the health check and / give the expected response several times in a row, each time over a new connection,
since several tasks are behind the load balancer. Whether the tasks stay healthy is watched by ECS, whose deployment
ends before this test: by health checks, circuit breaker, alarms and bake time. Exit codes: 0 passed, 1 failed, 2 usage
error.
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
LONGEST_PAUSE = 3


class Wrong(Exception):
    """An unexpected response; the message is the end of a sentence."""


def get(url: str) -> str:
    """Fetch a URL over a new connection; any status other than 200 raises Wrong."""
    request = urllib.request.Request(url, headers={"User-Agent": "smoke-test", "Accept": "application/json"})
    path = urllib.parse.urlparse(url).path
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
            content: bytes = response.read(LARGEST_ANSWER)
            return content.decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        body = error.read(200).decode("utf-8", "replace").strip()
        raise Wrong(f"{path} returns {error.code} {body}".rstrip()) from error
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"{path} cannot be reached: {getattr(error, 'reason', None) or error}") from error


def check(base: str, version: str, environment: str) -> None:
    """Send both requests once; raise Wrong if a response is not as expected."""
    get(f"{base}{os.environ.get('HEALTH_PATH') or '/health'}")
    text = get(f"{base}/")
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Wrong(f"/ does not return JSON but {text[:80]!r}") from error
    if not isinstance(answer, dict) or "version" not in answer:
        raise Wrong(f"/ returns no version: {text[:80]!r}")
    if answer["version"] != version:
        raise Wrong(f"/ returns version {answer['version']!r} instead of {version!r}")
    if environment and answer.get("environment") != environment:
        raise Wrong(f"/ returns environment {answer.get('environment')!r} instead of {environment!r}")


def watch(base: str, version: str, environment: str, times: int, seconds: float, interval: float) -> str | None:
    """Repeat the check until it passes several times in a row; return None, or the last problem at the timeout.

    Args:
        base: The URL of the service, without a trailing slash.
        version: The expected version.
        environment: The expected environment; empty to accept any.
        times: How many times in a row the check must pass.
        seconds: The timeout.
        interval: The seconds after a failed check; after several ones in a row more and more.
    """
    deadline = time.monotonic() + seconds
    in_a_row, problem, pause = 0, "no check was made", interval
    while True:
        try:
            check(base, version, environment)
            in_a_row, pause = in_a_row + 1, 0.0
            print(f"passed {in_a_row} of {times}", flush=True)
            if in_a_row == times:
                return None
            problem = f"the check passed only {in_a_row} of {times} times in a row"
        except Wrong as wrong:
            if str(wrong) != problem or in_a_row:
                print(f"waiting: {wrong}", flush=True)
            pause = interval if in_a_row else min(2 * pause, max(interval, LONGEST_PAUSE))
            in_a_row, problem = 0, str(wrong)
        if time.monotonic() + pause > deadline:
            return problem
        time.sleep(pause)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="how many times in a row the checks must pass (5)")
    parser.add_argument("--seconds", type=float, default=300, help="timeout in seconds (300)")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds after a failed check (0.1)")
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
