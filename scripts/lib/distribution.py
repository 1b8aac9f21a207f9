# SPDX-License-Identifier: Apache-2.0
"""A real Flink distribution, put together from the packages `apache-flink-libraries` (JARs) and `apache-flink` (scripts).

`flink-dist` is not among the Maven artifacts, but both Python packages together hold what the tarball holds.
"""

import pathlib
import shutil
import sys
import tarfile
import zipfile

from .console import Failure
from .paths import LOGS, TARGET
from .processes import step

VERSION = "2.3.0"


def flink_home(version=VERSION):
    """The folder of the distribution, made at the first call."""
    base = TARGET / "flink-dist"
    home = base / f"flink-{version}"
    if home.is_dir():
        return home
    downloads = base / "downloads"
    libraries = _download("apache-flink-libraries", version, downloads, "--no-binary", "apache-flink-libraries")
    scripts = _download("apache-flink", version, downloads, "--only-binary", ":all:")
    unfinished = base / f"flink-{version}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _unpack_libraries(libraries, unfinished)
    _unpack_scripts(scripts, unfinished)
    unfinished.rename(home)
    return home


def _download(package, version, folder, *options):
    found = _find(package, version, folder)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        step(
            f"download {package} {version}",
            [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
            + [*options, "--dest", folder, f"{package}=={version}"],
            LOGS / f"download-{package}.log",
        )
        found = _find(package, version, folder)
    if found is None:
        raise Failure(f"pip has left no {package} {version} in {folder}")
    return found


def _find(package, version, folder):
    name = package.replace("-", "_")
    found = [*folder.glob(f"{name}-{version}*.whl"), *folder.glob(f"{name}-{version}.tar.gz")]
    found += folder.glob(f"{package}-{version}.tar.gz")
    return found[0] if found else None


def _unpack_libraries(archive, home):
    with tarfile.open(archive) as sources:
        for member in sources:
            parts = pathlib.PurePosixPath(member.name).parts
            if len(parts) < 3 or parts[1] != "deps" or not member.isfile() or ".." in parts:
                continue
            place = home.joinpath(*parts[2:])
            place.parent.mkdir(parents=True, exist_ok=True)
            with sources.extractfile(member) as content, open(place, "wb") as copy:
                shutil.copyfileobj(content, copy)


def _unpack_scripts(wheel, home):
    with zipfile.ZipFile(wheel) as content:
        for name in content.namelist():
            parts = pathlib.PurePosixPath(name).parts
            if parts[:2] not in (("pyflink", "bin"), ("pyflink", "conf")) or name.endswith("/") or ".." in parts:
                continue
            place = home.joinpath(*parts[1:])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read(name))
            if parts[1] == "bin":
                place.chmod(0o755)
