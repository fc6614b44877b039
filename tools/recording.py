"""Writes docs/first-minutes.svg, the picture of a terminal in the README: `make picture`."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "first-minutes.svg"
SESSION = (
    "scaffold new payments --defaults",
    "scaffold cost payments",
)
_WIDTH = 110
_PROGRAM = "import sys; from scaffold.__main__ import main; sys.argv[0] = 'scaffold'; sys.exit(main())"


def record() -> str:
    """Run the commands, in a home of their own, and return the picture of what they have written."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), color_system="standard", force_terminal=True)
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        names = {f"GIT_{role}_{field}": "ann" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        variables = {
            **kept,
            **names,
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "FORCE_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        for command in SESSION:
            console.print(Text(f"$ {command}", style="bold"))
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, *command.split()[1:]],
                cwd=work,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=True,
            )
            console.print(Text.from_ansi(done.stdout.replace(f"{work.resolve()}/", "~/").rstrip()))
            console.print()
    picture = console.export_svg(title="scaffold", unique_id="recording")
    # Rich lets it load a font from the network.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(record(), "utf-8")
