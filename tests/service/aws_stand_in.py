"""A fake `aws` command, for responses that no emulator returns.

answers.json in the state directory has a list of responses for each operation; the last one repeats. A response
is a document, {"error": CODE} or {"raw": TEXT}. Calls are logged to calls.jsonl.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

OPTIONS = {"--repository-name", "--image-id", "--output", "--max-results", "--next-token"}


def answer(state: Path, words: list[str]) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a call.

    Args:
        state: The directory with answers.json.
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
