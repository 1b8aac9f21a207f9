# SPDX-License-Identifier: Apache-2.0
"""The example jobs with a mistaken connector inside, to see that what checks it does find a mistake."""

import os
import zipfile

from . import mutants
from .build import EXAMPLES_JAR
from .console import Failure
from .paths import CARGO_TARGET, LOGS, release_binary
from .processes import step

_RUST = "rust-core/"
_LIBRARY = "libcosmosdb_flink.so"


def examples_jar(name, no_build=False):
    """A copy of the examples' JAR whose native library was built with a mutant; the JAR itself must be there."""
    jar = mutants.WORK / f"{name}.jar"
    if no_build and jar.exists():
        return jar
    mutant = mutants.named(name)
    others = [str(file) for file in mutant.files if not str(file).startswith(_RUST)]
    if others:
        raise Failure(f"option --mutant: found {name}, which changes {', '.join(others)}; accepted are mutants of the core")
    copy = mutants.copy_sources("connector")
    mutant.apply(copy)
    try:
        # What the core depends on has been built and is the same.
        step(
            f"build the core with the mistake {name}",
            ["cargo", "build", "--release", "--locked", "-p", "jni-bridge"],
            LOGS / f"build-mutant-{name}.log",
            environment={**os.environ, "CARGO_TARGET_DIR": str(CARGO_TARGET)},
            cwd=copy,
        )
    finally:
        mutant.undo(copy)
    replaced = 0
    with zipfile.ZipFile(EXAMPLES_JAR) as good, zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as mistaken:
        for entry in good.infolist():
            is_library = entry.filename.endswith(f"/{_LIBRARY}")
            replaced += is_library
            content = release_binary(_LIBRARY).read_bytes() if is_library else good.read(entry)
            mistaken.writestr(entry, content)
    if replaced != 1:
        raise Failure(f"{EXAMPLES_JAR} has {replaced} native libraries, not one")
    return jar
