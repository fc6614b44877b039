"""Print the modules with low coverage, lowest first: `python tools/coverage_summary.py`, after `make test`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from coverage import Coverage

LOW = 85


def main() -> int:
    """Read .coverage and print the table."""
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        coverage.json_report(outfile=str(report))
        measured = json.loads(report.read_text("utf-8"))
    modules = [(entry["summary"]["percent_covered"], name) for name, entry in measured["files"].items()]
    low = sorted(module for module in modules if module[0] < LOW)
    print(
        f"Coverage: {measured['totals']['percent_covered']:.1f} %, {len(low)} of {len(modules)} modules below {LOW} %"
    )
    for percent, name in low:
        print(f"  {percent:5.1f} %  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
