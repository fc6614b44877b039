"""Stands in for the `aws` command where an answer is wanted that no emulator gives.

The state folder holds answers.json: for each operation the answers in turn, the last of which repeats.
An answer is a document, or {"error": CODE}, or {"raw": TEXT}. Calls go to calls.jsonl.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

OPTIONS = {"--repository-name", "--image-id", "--output", "--max-results", "--next-token"}


def answer(state: Path, words: list[str]) -> tuple[int, str, str]:
    """Answer a call: the exit code, standard output and standard error.

    Args:
        state: The folder with the answers.
        words: The arguments of the command.
    """
    with (state / "calls.jsonl").open("a") as log:
        log.write(json.dumps(words) + "\n")
    service, operation, *rest = words
    if service != "ecr" or not {word for word in rest if word.startswith("--")} <= OPTIONS:
        return 252, "", f"unknown call: aws {' '.join(words)}"
    asked = sum(json.loads(line)[1] == operation for line in (state / "calls.jsonl").read_text().splitlines())
    answers = json.loads((state / "answers.json").read_text())[operation]
    given = answers[min(asked, len(answers)) - 1]
    if "error" in given:
        return 254, "", f"\nAn error occurred ({given['error']}) when calling the {operation} operation: no\n"
    return 0, given["raw"] if "raw" in given else json.dumps(given), ""


if __name__ == "__main__":
    code, output, errors = answer(Path(sys.argv[1]), sys.argv[2:])
    print(output, end="")
    print(errors, end="", file=sys.stderr)
    sys.exit(code)
