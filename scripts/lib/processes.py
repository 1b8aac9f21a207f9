# SPDX-License-Identifier: Apache-2.0
"""Processes that end when their script does, and steps that say how far they are."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from .console import Failure, progress

STOP_SECONDS = 15
HEARTBEAT_SECONDS = 60
LISTEN_SECONDS = 5


def free_port():
    """A port that the system has just called free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds, pause=0.2):
    """Waits until `condition` returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(pause)


def tail(file, lines=30):
    """The last lines of a log, for a message."""
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"({error})"


def complaints(file, lines=60):
    """What the tests that failed have said, of cargo's and of Maven's: it may stand far above the end of the log."""
    found, within = [], False
    for line in file.read_text(errors="replace").splitlines():
        if re.match(r"---- .* std(out|err) ----$", line):
            within = True
        elif within and re.match(r"(stack backtrace:|failures:|note: )", line):
            within = False
        if line.strip() and (within or re.match(r"\[ERROR\] |test .* FAILED$", line)):
            found.append(line[:400])
    return found[:lines]


class Process:
    """One process with its log; it leads a group of its own, so that what it starts ends with it."""

    def __init__(self, name, command, log, environment=None, cwd=None, talks=False):
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = log
        if shutil.which(str(command[0])) is None:
            raise Failure(f"{command[0]} is not there; has everything been built?")
        self._error = open(log, "ab")
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else self._error,
            stderr=self._error,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
        self._heard = b""
        self.pid = self._process.pid

    @property
    def status(self):
        """The exit status, or None while it runs."""
        return self._process.poll()

    def check(self):
        """Fails when the process has ended."""
        if self.status is not None:
            raise Failure(f"{self.name} ended with status {self.status}; end of {self.log}:\n{tail(self.log)}")

    def say(self, line):
        """Writes a line to its standard input."""
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def hear(self, seconds, say_while_waiting=False):
        """The next line of its standard output; fails at its end and when none comes in time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._heard:
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} has said nothing for {seconds} s; end of {self.log}:\n{tail(self.log)}")
            if not select.select([self._process.stdout], [], [], LISTEN_SECONDS)[0]:
                if say_while_waiting:
                    progress(tail(self.log, 1))
                continue
            heard = os.read(self._process.stdout.fileno(), 65536)
            if not heard:
                self._process.wait(STOP_SECONDS)
                raise Failure(f"{self.name} ended with status {self.status}; end of {self.log}:\n{tail(self.log)}")
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode().strip()

    def close_input(self):
        """Closes its standard input, which tells a program that listens to end."""
        self._process.stdin.close()

    def wait(self, seconds):
        """Waits for its end and returns the status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s; its log is {self.log}") from None

    def kill(self):
        """Ends it at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self, seconds):
        """Lets it do nothing for a while; its connections stay."""
        self._signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self._signal(signal.SIGCONT)

    def stop(self):
        """Ends it: politely first."""
        if self.status is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._error):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass


class Processes:
    """Ends all that was started in a `with` block, the last first, however the block is left."""

    def __init__(self):
        self._started = []

    def start(self, *arguments, **options):
        process = Process(*arguments, **options)
        self._started.append(process)
        return process

    def __enter__(self):
        # A plain SIGTERM would skip every `finally`.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(self, *_):
        with _undisturbed():
            for process in reversed(self._started):
                process.stop()


def _interrupt(*_):
    raise KeyboardInterrupt


@contextlib.contextmanager
def _undisturbed():
    """Whoever asks this script to end while it cleans up gets what he wants; halfway it would leave processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def step(name, command, log, environment=None, cwd=None):
    """Runs a command to its end, with its output in a log and a sign of life now and then; returns the seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    start = time.monotonic()
    progress(f"{name} ...")
    with Processes() as processes:
        process = processes.start(name, command, log, environment=environment, cwd=cwd)
        said = start
        while process.status is None:
            time.sleep(0.1)
            if time.monotonic() - said > HEARTBEAT_SECONDS:
                said = time.monotonic()
                progress(f"{name}, {said - start:.0f} s: {tail(log, 1).strip()[-120:]}")
        if process.status != 0:
            told = "\n".join([*complaints(log), f"end of {log}:", tail(log)])
            raise Failure(f"{name} failed with status {process.status}\n{told}")
    seconds = time.monotonic() - start
    progress(f"{name}: {seconds:.1f} s")
    return seconds
