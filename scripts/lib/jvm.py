# SPDX-License-Identifier: Apache-2.0
"""What a running JVM holds: memory, class loaders, mapped libraries."""

import pathlib
import re
import shutil
import subprocess

from .console import Failure


def resident_megabytes(pid):
    """The process's resident memory."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def mapped_files(pid, name_part):
    """The different files in the process's memory map whose name holds this, deleted ones with a mark."""
    found = set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and name_part in pathlib.PurePosixPath(fields[5]).name:
            found.add(fields[5])
    return sorted(found)


def collect_garbage(pid):
    """Two full collections: what the first one only made unreachable, such as by finishing references, goes too."""
    for _ in range(2):
        _jcmd(pid, "GC.run")


def live_instances(pid, class_name):
    """How many objects of a class are reachable; the histogram collects garbage first."""
    for line in _jcmd(pid, "GC.class_histogram").splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[3] == class_name:
            return int(fields[1])
    return 0


def _jcmd(pid, command):
    tool = shutil.which("jcmd")
    if tool is None:
        raise Failure("jcmd of the JDK is not on the PATH")
    result = subprocess.run([tool, str(pid), command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failure(f"jcmd {pid} {command}: {result.stdout}{result.stderr}")
    return result.stdout
