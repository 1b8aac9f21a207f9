# SPDX-License-Identifier: Apache-2.0
"""The container that a script works on: on the local server, or on any account."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

from .console import Failure
from .flink_rest import call
from .paths import LOGS, TARGET, release_binary
from .processes import wait_for

START_SECONDS = 30
# On an account with little throughput the first orders take their time.
FIRST_ORDERS_SECONDS = 3600
DATABASE = "shop"


class LocalServer:
    """A `cosmos-local` process with its admin interface."""

    def __init__(self, processes, name="cosmos-local", options=()):
        ready = TARGET / "run" / f"{name}.ready.json"
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.unlink(missing_ok=True)
        self.log = LOGS / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        command = [release_binary("cosmos-local"), "--port", "0", "--exit-with-parent-stdin", "--ready-file", ready]
        command += options
        self._process = processes.start(name, command, self.log, talks=True)

        def is_ready():
            self._process.check()
            return ready.exists()

        wait_for("the local server", is_ready, START_SECONDS, pause=0.05)
        facts = json.loads(ready.read_text())
        self.endpoint, self.key, self.admin = facts["endpoint"], facts["key"], facts["admin"]
        self.pid = self._process.pid

    def check(self):
        self._process.check()

    def create(self, container, partitions, partition_key="/customer", **settings):
        """Makes a container with so many physical partitions; the names of settings are those of the server's README."""
        body = {"database": DATABASE, "container": container, "partitionKey": [partition_key], "partitions": partitions}
        body.update(settings)
        return call("POST", self.admin + "containers", body)

    def state(self, container):
        return call("GET", f"{self.admin}containers/{DATABASE}/{container}")

    def split(self, container, lock_millis, partition=None):
        """Splits a partition, or else the largest one; answers with the ids of parent and children."""
        path = f"{self.admin}containers/{DATABASE}/{container}/split"
        body = {"lockMillis": lock_millis}
        if partition is not None:
            body["partition"] = partition
        return call("POST", path, body)

    def merge(self, container, partitions, lock_millis, renumber_lsns):
        """Merges neighbours; answers with the ids of parents and child."""
        path = f"{self.admin}containers/{DATABASE}/{container}/merge"
        return call("POST", path, {"partitions": partitions, "lockMillis": lock_millis, "renumberLsns": renumber_lsns})

    def fault(self, **rule):
        """Makes the next requests of a kind misbehave; the names are those of the server's README."""
        return call("POST", self.admin + "faults", rule)

    def save_log(self, container, file):
        """Keeps the log of all writes: the server takes it with it when it ends."""
        path = f"{self.admin}containers/{DATABASE}/{container}/log?limit={2**40}"
        with urllib.request.urlopen(path, timeout=60) as answer, open(file, "wb") as copy:
            shutil.copyfileobj(answer, copy)

    def clear_faults(self):
        call("DELETE", self.admin + "faults")

    def latency(self, millis):
        """Answers so much later from now on."""
        call("POST", self.admin + "latency", {"millis": millis})

    def regions(self):
        """The region that takes the writes, and the other one."""
        return sorted(call("GET", self.admin + "regions"), key=lambda region: not region["writes"])

    def fail_over(self, region):
        """Moves the writes to a region."""
        call("POST", self.admin + "failover", {"to": region})

    def change_region(self, region, **change):
        """Lets a region lag or go down; the names are those of the server's README."""
        call("POST", self.admin + "regions", {"region": region, **change})

    def restart(self, seconds):
        """Lets all connections go and refuses new ones for a while; what a durable service keeps is kept. Returns when it
        is back."""
        call("POST", self.admin + "restart", {"awayMillis": round(seconds * 1000)})

        def is_back():
            self._process.check()
            try:
                return call("GET", self.admin + "health")
            except OSError:
                return None

        wait_for("the local server to be back", is_back, seconds + START_SECONDS)

    def freeze(self, seconds):
        """Stops the process for a while: connections stay, nothing is answered."""
        self._process.freeze(seconds)

    def load(self, container, documents, document_bytes, partition_keys=1000):
        """Fills a container without going through the wire."""
        path = f"{self.admin}containers/{DATABASE}/{container}/load"
        body = {"documents": documents, "documentBytes": document_bytes, "partitionKeys": partition_keys}
        return call("POST", path, body, seconds=600)


class Writer:
    """`orders-writer`: the first orders as fast as they go, then a rate until it is told to end."""

    def __init__(
        self,
        processes,
        endpoint,
        key,
        container,
        orders,
        rate,
        journal=None,
        create=False,
        throughput=None,
        options=(),
    ):
        command = [release_binary("orders-writer"), "--endpoint", endpoint, "--database", DATABASE]
        command += ["--container", container, "--orders", orders, "--rate", rate, "--until-stdin-closes"]
        if create:
            command.append("--create")
            if throughput is not None:
                command += ["--throughput", throughput]
        if journal is not None:
            command += ["--journal", journal]
        command += options
        log = LOGS / "orders-writer.log"
        log.unlink(missing_ok=True)
        environment = {**os.environ, "COSMOS_KEY": key}
        self._process = processes.start("orders-writer", command, log, environment=environment, talks=True)
        self.log = log

    def wait_for_first_orders(self):
        """Blocks until the first orders are written; answers with the counts."""
        return json.loads(self._process.hear(FIRST_ORDERS_SECONDS, say_while_waiting=True))

    def check(self):
        self._process.check()

    def end(self, seconds=120):
        """Tells it to end and answers with the counts of the whole run."""
        self._process.close_input()
        counts = json.loads(self._process.hear(seconds))
        if self._process.wait(seconds) != 0:
            self._process.check()
        return counts


class Verifier:
    """`verify-changes`: compares committed files with the log of the server, or with the writer's journal."""

    def __init__(self, output, backlog=None, admin=None, container=None, journal=None, options=()):
        self._command = [release_binary("verify-changes"), "--output", output, *options]
        if backlog is not None:
            self._command += ["--backlog", backlog]
        if admin is not None:
            self._command += ["--admin", admin, "--database", DATABASE, "--container", container]
        else:
            self._command += ["--journal", journal]

    def run(self, show=False):
        """One comparison; `show` lets it say what is wrong."""
        result = subprocess.run([str(part) for part in self._command], capture_output=True, text=True, check=False)
        if result.returncode not in (0, 1):
            raise Failure(f"verify-changes ended with status {result.returncode}: {result.stderr}")
        if show and result.stderr:
            print(result.stderr, end="", file=sys.stderr, flush=True)
        report = json.loads(result.stdout)
        report.pop("samples", None)
        return report

