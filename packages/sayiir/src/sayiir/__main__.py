"""Run the command line: ``python -m sayiir``."""

from __future__ import annotations

import sys

from sayiir.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
