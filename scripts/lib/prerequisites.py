# SPDX-License-Identifier: Apache-2.0
"""What must be on the machine before anything is built."""

import platform
import re
import shutil
import subprocess
import sys

from .console import Failure


def _version(command, pattern):
    if shutil.which(command[0]) is None:
        return None
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(pattern, result.stdout + result.stderr)
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def _java():
    version = _version(["javac", "-version"], r"javac (\d+)")
    return version is not None and version >= (17,)


def _maven():
    version = _version(["mvn", "-v"], r"Apache Maven (\d+\.\d+)")
    return version is not None and version >= (3, 8)


def _rust():
    version = _version(["cargo", "--version"], r"cargo (\d+\.\d+)")
    return version is not None and version >= (1, 88)


def _compiler():
    return any(shutil.which(name) for name in ("cc", "gcc", "clang"))


def has_cpp_compiler():
    """Whether libFuzzer can be built; the only thing that needs one."""
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))


_NEEDED = [
    ("a JDK, 17 or newer, with javac on the PATH", _java),
    ("Maven 3.8 or newer (mvn)", _maven),
    ("Rust 1.88 or newer (cargo)", _rust),
    ("a C compiler (the TLS library has parts in C)", _compiler),
    ("Python 3.9 or newer with pip", lambda: sys.version_info >= (3, 9) and _has_pip()),
    ("Linux on x86_64", lambda: platform.system() == "Linux" and platform.machine() == "x86_64"),
]


def _has_pip():
    result = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    return result.returncode == 0


def check():
    """Fails with a list of what is missing."""
    missing = [name for name, is_there in _NEEDED if not is_there()]
    if missing:
        raise Failure("missing on this machine:\n  - " + "\n  - ".join(missing))
