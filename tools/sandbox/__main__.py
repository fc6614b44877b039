"""`python tools/sandbox`."""

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
# In place of this folder, whose modules are parts of a package; the kit's package may be that of the checkout.
sys.path[:1] = [str(TOOLS), str(TOOLS.parent)]

from sandbox.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
