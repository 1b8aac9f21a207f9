# SPDX-License-Identifier: Apache-2.0
"""Mistakes that the tests must find, each a text file: which text of which source becomes which other text.

    why: one line
    file: path from the repository's root
    <<<<<<<
    exact present text, which must be there once
    =======
    mistaken text
    >>>>>>>

There may be more blocks, and more files. Nothing is ever changed in the repository itself: a mutant is applied to a copy.
"""

import pathlib
import shutil
import subprocess

from .console import Failure
from .paths import ROOT, TARGET

MUTANTS = ROOT / "integration-tests" / "simulation" / "mutants"
WORK = TARGET / "mutants"


class Mutant:
    """One mistake."""

    def __init__(self, file):
        self.name = file.stem
        self.why = None
        self.blocks = []
        self._read(file)

    def _read(self, file):
        lines = iter(file.read_text().splitlines())
        source = None
        for line in lines:
            if line.startswith("why: "):
                self.why = line[len("why: ") :]
            elif line.startswith("file: "):
                source = pathlib.PurePosixPath(line[len("file: ") :])
            elif line == "<<<<<<<":
                present, mistaken = _until(lines, "=======", file), _until(lines, ">>>>>>>", file)
                if source is None or not present:
                    raise Failure(f"{file}: a block without a file or without present text")
                self.blocks.append((source, present, mistaken))
            elif line.strip():
                raise Failure(f"{file}: found {line!r}, accepted is 'why: ', 'file: ' or '<<<<<<<'")
        if self.why is None or not self.blocks:
            raise Failure(f"{file}: a mutant says why and has at least one block")

    @property
    def files(self):
        """The sources that it changes, each once."""
        return list(dict.fromkeys(source for source, _, _ in self.blocks))

    def mutated(self):
        """The changed sources: path from the root -> text. Fails when a present text is not there exactly once."""
        texts = {source: (ROOT / source).read_text() for source in self.files}
        for source, present, mistaken in self.blocks:
            found = texts[source].count(present)
            if found != 1:
                raise Failure(f"mutant {self.name}: {source} has its present text {found} times, not once:\n{present}")
            texts[source] = texts[source].replace(present, mistaken)
        return texts

    def apply(self, copy):
        """Changes a copy of the repository."""
        for source, text in self.mutated().items():
            (copy / source).write_text(text)

    def undo(self, copy):
        """Brings the copy back to what the repository has."""
        for source in self.files:
            (copy / source).write_text((ROOT / source).read_text())


def _until(lines, end, file):
    """The lines up to one that says `end`, as they are in a source."""
    found = []
    for line in lines:
        if line == end:
            return "".join(f"{line}\n" for line in found)
        found.append(line)
    raise Failure(f"{file}: a block without {end}")


def all_of(language):
    """The mutants of one half, `rust` or `java`, by name."""
    return [Mutant(file) for file in sorted((MUTANTS / language).glob("*.mutant"))]


def named(name):
    """One mutant, of whichever half."""
    found = [file for file in MUTANTS.glob("*/*.mutant") if file.stem == name]
    if len(found) != 1:
        known = ", ".join(sorted(file.stem for file in MUTANTS.glob("*/*.mutant")))
        raise Failure(f"option --mutant: found {name!r}, accepted is one of {known}")
    return Mutant(found[0])


def copy_sources(name):
    """A copy of everything that is not built, below target/mutants; files that are the same keep their times."""
    copy = WORK / name
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode != 0:
        raise Failure(f"the sources could not be listed: {listed.stderr.decode(errors='replace').strip()}")
    wanted = {pathlib.PurePosixPath(path) for path in listed.stdout.decode().split("\0") if path}
    for path in wanted:
        source, target = ROOT / path, copy / path
        if not source.is_file():
            continue
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    # A file that the repository has no more must not be compiled.
    for target in copy.rglob("*.rs"):
        path = target.relative_to(copy)
        if "target" not in path.parts and pathlib.PurePosixPath(path) not in wanted:
            target.unlink()
    return copy
