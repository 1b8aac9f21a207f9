# SPDX-License-Identifier: Apache-2.0
"""What a script says: progress as it goes, tables for people, one line of JSON at the end."""

import argparse
import json
import pathlib
import sys
import time

_START = time.monotonic()


class Failure(Exception):
    """Ends a script with a message and no traceback: what went wrong is known."""


def progress(text):
    """Says what happens now, with the seconds since the script began."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", flush=True)


def table(title, rows):
    """Prints (name, value) pairs."""
    width = max(len(name) for name, _ in rows)
    print(f"\n{title}", flush=True)
    for name, value in rows:
        print(f"  {name:<{width}}  {_readable(value)}", flush=True)
    print(flush=True)


def _readable(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:>12,}"
    if isinstance(value, float):
        return f"{value:>12,.1f}"
    return str(value)


def parser(description):
    """A parser of arguments that every script has the same start of."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--json", metavar="FILE", type=pathlib.Path, help="also write the line of JSON into this file")
    return result


def finish(result, file=None):
    """Prints the one line of JSON that a script ends with."""
    line = json.dumps(result)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line + "\n")
    print(line, flush=True)


def run(main):
    """Runs a script's main function, which returns its exit status, and ends the process."""
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"failed: {failure}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        sys.exit(130)
