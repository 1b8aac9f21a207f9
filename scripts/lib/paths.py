# SPDX-License-Identifier: Apache-2.0
"""Where things are. Whatever a script writes is below `target`."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "target"
CARGO_TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", TARGET))
LOGS = TARGET / "logs"


def release_binary(name):
    """Path of a program that cargo has built."""
    return CARGO_TARGET / "release" / name
