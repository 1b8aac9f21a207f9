# SPDX-License-Identifier: Apache-2.0
"""Flink's REST interface, as far as the scripts need it."""

import http.client
import json
import urllib.error
import urllib.request

from .console import Failure
from .processes import wait_for

# A machine that has much else to do is slow, not broken.
PATIENCE_SECONDS = 180


class Refused(Failure):
    """A request was answered with an error; `status` is HTTP's."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


# What a JobManager answers, or does not, while another one is about to lead, or the job is not yet recovered.
_NO_LEADER = (404, 500, 503)


def call(method, address, body=None, seconds=30):
    """One request; returns the answer's JSON, or raises with the answer's text."""
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:2000]
        raise Refused(f"{method} {address}: {error.code} {text}", error.code) from None
    return json.loads(text) if text else None


class FlinkRest:
    """One cluster."""

    def __init__(self, address):
        self.address = address.rstrip("/")

    def get(self, path):
        return call("GET", self.address + path)

    def post(self, path, body):
        return call("POST", self.address + path, body)

    def is_up(self):
        try:
            self.get("/overview")
            return True
        except (Failure, OSError):
            return False

    def task_managers(self):
        return self.get("/taskmanagers")["taskmanagers"]

    def job(self, job):
        return self.get(f"/jobs/{job}")

    def state(self, job):
        return self.job(job)["state"]

    def is_running(self, job):
        """True when every task runs."""
        description = self.job(job)
        if description["state"] in ("FAILED", "CANCELED", "FINISHED"):
            raise Failure(f"job {job} is {description['state']}: {self.failure_cause(job)}")
        tasks = description["vertices"]
        return description["state"] == "RUNNING" and all(task["status"] == "RUNNING" for task in tasks)

    def recovered(self, job):
        """`is_running`, and False as well while the JobManager is not there or does not lead yet."""
        try:
            return self.is_running(job)
        except Refused as refused:
            if refused.status not in _NO_LEADER:
                raise
            return False
        except (OSError, http.client.HTTPException):
            return False

    def wait_for_recovery(self, job, checkpoints, seconds=PATIENCE_SECONDS):
        """Waits until the job runs and has completed so many more checkpoints, whatever happens to it meanwhile."""
        last, seen = None, 0

        def goes_on():
            nonlocal last, seen
            if not self.recovered(job):
                return False
            try:
                now = self.completed_checkpoints(job)
            except (Refused, OSError, http.client.HTTPException):
                return False
            # Another JobManager counts from 0 again.
            if last is not None and now != last:
                seen += max(now - last, 1)
            last = now
            return seen >= checkpoints

        wait_for(f"job {job} to go on with {checkpoints} checkpoints", goes_on, seconds)

    def failure_cause(self, job):
        """The newest exception of a job, its first lines."""
        entries = self.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        if not entries:
            return "no exception"
        return "\n".join(entries[0]["stacktrace"].splitlines()[:25])

    def wait_until_running(self, job, seconds=PATIENCE_SECONDS):
        wait_for(f"job {job} to run", lambda: self.is_running(job), seconds)

    def completed_checkpoints(self, job):
        return self.get(f"/jobs/{job}/checkpoints")["counts"]["completed"]

    def wait_for_checkpoints(self, job, count, seconds=PATIENCE_SECONDS):
        """Waits until so many more checkpoints than now have been completed."""
        wanted = self.completed_checkpoints(job) + count
        wait_for(f"{count} checkpoints", lambda: self.completed_checkpoints(job) >= wanted, seconds)

    def restarts(self, job):
        """How often tasks of one vertex have been restarted, of the vertex where it was most often.

        Not the metric `numRestarts`, which is late: when a TaskManager dies while it is asked for its metrics, Flink asks
        nobody until that request has timed out (`web.timeout`).
        """

        def of(vertex):
            return sum(task["attempt"] for task in self.get(f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"])

        return max(map(of, self.job(job)["vertices"]), default=0)

    def cancel(self, job, seconds=PATIENCE_SECONDS):
        call("PATCH", f"{self.address}/jobs/{job}?mode=cancel")
        wait_for(f"job {job} to be cancelled", lambda: self.state(job) == "CANCELED", seconds)

    def stop_with_savepoint(self, job, folder, seconds=PATIENCE_SECONDS, drain=False):
        """Stops a job behind a savepoint, whose address is returned; draining, its sources end as bounded ones do."""
        trigger = self.post(f"/jobs/{job}/stop", {"targetDirectory": folder.as_uri(), "drain": drain})["request-id"]

        def finished():
            answer = self.get(f"/jobs/{job}/savepoints/{trigger}")
            return answer if answer["status"]["id"] == "COMPLETED" else None

        operation = wait_for("the savepoint", finished, seconds)["operation"]
        if "location" not in operation:
            raise Failure(f"the savepoint failed: {json.dumps(operation)[:3000]}")
        wait_for(f"job {job} to finish", lambda: self.state(job) == "FINISHED", seconds)
        return operation["location"]

    def rescale(self, job, parallelism, seconds=PATIENCE_SECONDS):
        """Tells the adaptive scheduler to run all tasks of a job so often, and waits until it does."""
        bounds = {"parallelism": {"lowerBound": 1, "upperBound": parallelism}}
        wanted = {task["id"]: bounds for task in self.job(job)["vertices"]}
        call("PUT", f"{self.address}/jobs/{job}/resource-requirements", wanted)

        def is_rescaled():
            if not self.recovered(job):
                return False
            return all(task["parallelism"] == parallelism for task in self.job(job)["vertices"])

        wait_for(f"job {job} to run with parallelism {parallelism}", is_rescaled, seconds)

    def source_metric_sum(self, job, suffix):
        """Sum over subtasks of a metric of the first vertex whose name ends so; None when there is none."""
        vertex = self.job(job)["vertices"][0]["id"]
        path = f"/jobs/{job}/vertices/{vertex}/subtasks/metrics"
        names = [metric["id"] for metric in self.get(path) if metric["id"].endswith(suffix)]
        if not names:
            return None
        found = self.get(f"{path}?get={names[0]}&agg=sum")
        return float(found[0]["sum"]) if found else None
