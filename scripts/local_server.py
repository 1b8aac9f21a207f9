# SPDX-License-Identifier: Apache-2.0
"""Starts a `cosmos-local` for a script and stops it again."""

import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 30
STOP_SECONDS = 10


def build():
    """Builds the server (cargo does nothing when it is up to date) and returns its path."""
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "-p", "cosmos-local"],
        cwd=ROOT,
        check=True,
    )
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "cosmos-local"


class LocalServer:
    """A server process for the length of a `with` block: `endpoint`, `admin` and `key` tell how to reach it.

    It also ends when this process dies, because it watches its standard input.
    """

    def __init__(self, binary, log, arguments=()):
        self._command = [str(binary), "--port", "0", "--exit-with-parent-stdin", *arguments]
        self._log_path = log
        self._process = None

    def __enter__(self):
        with tempfile.TemporaryDirectory() as folder:
            ready = pathlib.Path(folder) / "ready.json"
            with open(self._log_path, "wb") as log:
                self._process = subprocess.Popen(
                    [*self._command, "--ready-file", str(ready)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
            try:
                facts = self._wait_for(ready)
            except BaseException:
                self._stop()
                raise
        self.endpoint = facts["endpoint"]
        self.admin = facts["admin"]
        self.key = facts["key"]
        return self

    def __exit__(self, *_):
        self._stop()

    def _wait_for(self, ready):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # The file appears by a rename, so it is whole once it is there.
            if ready.exists():
                return json.loads(ready.read_text())
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"cosmos-local ended with {self._process.returncode}; its log is {self._log_path}"
                )
            time.sleep(0.05)
        raise RuntimeError(f"cosmos-local was not ready in {START_SECONDS} s; its log is {self._log_path}")

    def _stop(self):
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
