"""Measure the rkyv codec beside others, as Markdown tables: ``dev.py native bench [--quick]``."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

try:
    import codec_cases
    import codec_fields
    import codec_whole
except ImportError as error:
    sys.exit(f"{error}: run 'python3 dev.py native' first, which needs cargo")

TABLES: dict[str, Callable[..., list[str]]] = {
    "Reading one field": codec_fields.one_field,
    "Memory": codec_fields.memory,
    "Single cases": codec_cases.cases,
    "A busy thread beside": codec_cases.threads,
    "Writing": codec_whole.encode,
    "Reading all": codec_whole.decode,
    "Stored bytes": codec_whole.size,
}


def main() -> None:
    """Print the tables, or the ones whose titles begin with a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, shorter blocks")
    parser.add_argument("--only", default="", help="the beginning of a title")
    options = parser.parse_args()
    names = ("orjson", "ormsgpack", "msgpack", "msgspec")
    print(f"CPython {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in names))
    for title, table in TABLES.items():
        if title.lower().startswith(options.only.lower()):
            print(f"\n{title}\n", *table(quick=options.quick), sep="\n", flush=True)


if __name__ == "__main__":
    main()
