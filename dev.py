#!/usr/bin/env python3
"""Be the one entry for people and CI: ``python3 dev.py VERB``.

Needs Python 3.11 or later with pip, and nothing else: what is missing goes into git-ignored
folders of this repository.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- an older Python must be told, not crash
    sys.exit("dev.py needs Python 3.11 or later, this is " + sys.version.split()[0])

from devtools import verbs
from devtools.ci import ci
from devtools.environment import SetupError

_VERBS = {
    "demo": verbs.demo,
    "test": verbs.test,
    "lint": verbs.lint,
    "types": verbs.types,
    "imports": verbs.imports,
    "docs": verbs.docs,
    "laws": verbs.laws,
    "fleet": verbs.fleet,
    "chaos": verbs.chaos,
    "bench": verbs.bench,
    "native": verbs.native,
    "ci": ci,
}


def main(arguments: list[str]) -> int:
    """Run the verb that the arguments name; return its exit code, or 2 with the list of verbs."""
    if not arguments or arguments[0] not in _VERBS:
        print("usage: python3 dev.py VERB [arguments]\n")
        for name, verb in _VERBS.items():
            print(f"  {name:<8} {(verb.__doc__ or '').splitlines()[0]}")
        return 0 if arguments in (["-h"], ["--help"], ["help"]) else 2
    try:
        return _VERBS[arguments[0]](arguments[1:])
    except SetupError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
