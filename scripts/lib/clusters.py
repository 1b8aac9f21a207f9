# SPDX-License-Identifier: Apache-2.0
"""Flink clusters: a real standalone one, and one inside a single JVM."""

import json
import os
import re
import shutil
import subprocess

from .build import EXAMPLES_CLASSES, EXAMPLES_CLASSPATH
from .console import Failure
from .flink_rest import FlinkRest
from .processes import free_port, tail, wait_for

JOB_CLASS = "io.github.cosmosflink.connector.cosmosdb.examples.CosmosDBJob"
IN_PROCESS_CLASS = "io.github.cosmosflink.connector.cosmosdb.examples.QuickstartCluster"
# A machine that has much else to do is slow, not broken.
START_SECONDS = 240

_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
appender.file.type = File
appender.file.name = File
appender.file.fileName = ${sys:log.file}
appender.file.append = true
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
"""


class StandaloneCluster:
    """A JobManager and TaskManagers, each a process of its own, as the distribution's scripts start them.

    `settings` are added to the configuration; with those of a `ZooKeeper` the JobManager may be killed and started anew.
    """

    def __init__(self, processes, home, folder, task_managers=2, slots=2, settings=None):
        self._processes = processes
        self._home = home
        self._folder = folder
        self._checkpoints = folder / "checkpoints"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "conf").mkdir(parents=True)
        (folder / "log").mkdir()
        (folder / "tmp").mkdir()
        self._rest_port = free_port()
        self._rpc_port = free_port()
        self._slots = slots
        self._settings = dict(settings or {})
        self._write_configuration()
        self._environment = {
            **os.environ,
            "FLINK_HOME": str(home),
            "FLINK_CONF_DIR": str(folder / "conf"),
            "FLINK_LOG_DIR": str(folder / "log"),
            "FLINK_PID_DIR": str(folder),
        }
        # The account's key is for the client that builds the job, the cluster gets it inside of the job.
        self._environment.pop("COSMOS_KEY", None)
        self.rest = FlinkRest(f"http://127.0.0.1:{self._rest_port}")
        self._task_managers = []
        self.job_manager = self._start("jobmanager")
        for _ in range(task_managers):
            self.start_task_manager()
        wait_for("the cluster", self._is_complete, START_SECONDS)

    @property
    def process_ids(self):
        """The process ids of the JVMs that run now, by name."""
        running = [self.job_manager, *self._task_managers]
        return {process.name: process.pid for process in running if process.status is None}

    def start_task_manager(self):
        self._task_managers.append(self._start("taskmanager", len(self._task_managers) + 1))

    def running_task_managers(self):
        """The TaskManagers that run now, the oldest first."""
        return [process for process in self._task_managers if process.status is None]

    def kill_task_manager(self):
        """Kills the first TaskManager that runs, as a crash would. One to take its place is started beforehand, so that
        the job waits for the failure to be noticed and not for a JVM to start."""
        victim = self.running_task_managers()[0]
        self.start_task_manager()
        wait_for("the other TaskManager", self._is_complete, START_SECONDS)
        victim.kill()

    def restart_job_manager(self, settings=None):
        """Kills the JobManager, as a crash would, and starts another, with further settings from now on."""
        self.job_manager.kill()
        self._settings.update(settings or {})
        self._write_configuration()
        self.job_manager = self._start("jobmanager")

    def submit(self, jar, arguments, key, parallelism, savepoint=None, job_class=JOB_CLASS):
        """`flink run -d`; returns the job's id."""
        command = [self._home / "bin" / "flink", "run", "-d", "-p", str(parallelism), "-c", job_class]
        if savepoint is not None:
            command += ["-s", savepoint]
        result = subprocess.run(
            [str(part) for part in [*command, jar, *arguments]],
            env={**self._environment, "COSMOS_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"JobID ([0-9a-f]{32})", result.stdout)
        if result.returncode != 0 or found is None:
            raise Failure(f"flink run failed with status {result.returncode}:\n{result.stdout}\n{result.stderr}")
        return found.group(1)

    def retained_checkpoint(self, job):
        """Address of the checkpoint that a cancelled job has left behind. The REST interface tells what was seconds ago."""
        found = [checkpoint.parent for checkpoint in (self._checkpoints / job).glob("chk-*/_metadata")]
        if not found:
            raise Failure(f"job {job} has left no checkpoint in {self._checkpoints}")
        return max(found, key=lambda checkpoint: int(checkpoint.name.removeprefix("chk-"))).as_uri()

    def wait_until_complete(self):
        """Waits until every TaskManager that runs is known to the JobManager."""
        wait_for("the other TaskManager", self._is_complete, START_SECONDS)

    def _is_complete(self):
        self.job_manager.check()
        return self.rest.is_up() and len(self.rest.task_managers()) == len(self.running_task_managers())

    def _start(self, kind, number=None):
        name = kind if number is None else f"{kind}-{number}"
        command = [self._home / "bin" / f"{kind}.sh", "start-foreground"]
        out = self._folder / "log" / f"{name}.out"
        return self._processes.start(name, command, out, environment=self._environment, cwd=self._folder)

    def _write_configuration(self):
        default = (self._home / "conf" / "config.yaml").read_text()
        opens = re.search(r"env:\n\s+java:\n\s+opts:\n\s+all: (.+)", default)
        if opens is None:
            raise Failure("the distribution's config.yaml has no env.java.opts.all")
        checkpoints = self._checkpoints.as_uri()
        lines = {
            "env.java.opts.all": f"{opens.group(1)} -Djava.io.tmpdir={self._folder / 'tmp'}",
            "jobmanager.rpc.address": "127.0.0.1",
            "jobmanager.rpc.port": self._rpc_port,
            "jobmanager.bind-host": "127.0.0.1",
            "jobmanager.memory.process.size": "1024m",
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
            "taskmanager.memory.process.size": "1728m",
            "taskmanager.numberOfTaskSlots": self._slots,
            "rest.address": "127.0.0.1",
            "rest.bind-address": "127.0.0.1",
            "rest.port": self._rest_port,
            "parallelism.default": 1,
            "pekko.startup-timeout": "120 s",
            # A dead TaskManager is to be noticed soon.
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 10000,
            "metrics.fetcher.update-interval": 1000,
            # When a TaskManager dies while it is asked for its metrics, nobody is asked until this is over.
            "web.timeout": "20 s",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 1000,
            "restart-strategy.fixed-delay.delay": "1 s",
            "execution.checkpointing.dir": checkpoints,
            "io.tmp.dirs": self._folder / "tmp",
            **self._settings,
        }
        text = "".join(f"{key}: {value}\n" for key, value in lines.items())
        (self._folder / "conf" / "config.yaml").write_text(text)
        for name in ("log4j-console.properties", "log4j-cli.properties", "log4j-session.properties"):
            (self._folder / "conf" / name).write_text(_LOG4J)


class InProcessCluster:
    """JobManager and TaskManagers in one JVM, with the web interface; started by the examples' QuickstartCluster."""

    def __init__(self, processes, folder, arguments, key, parallelism, task_managers=2, slots=2):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "tmp").mkdir()
        log4j = folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        classpath = os.pathsep.join([str(EXAMPLES_CLASSES), EXAMPLES_CLASSPATH.read_text().strip()])
        command = ["java", "-Xmx1500m", "-XX:+UseG1GC"]
        command += [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "time")]
        command += [f"-Dlog4j.configurationFile={log4j}", f"-Dlog.file={folder / 'flink.log'}"]
        command += [f"-Djava.io.tmpdir={folder / 'tmp'}", "-cp", classpath, IN_PROCESS_CLASS]
        command += ["--task-managers", task_managers, "--slots", slots, "--checkpoints", folder / "checkpoints"]
        command += ["--parallelism", parallelism, *arguments]
        environment = {**os.environ, "COSMOS_KEY": key}
        self._log = folder / "flink.log"
        self._process = processes.start(
            "Flink in one process", command, folder / "flink.err", environment=environment, cwd=folder, talks=True
        )
        self.rest = FlinkRest(self._hear("started")["rest"])

    @property
    def process_ids(self):
        return {"flink": self._process.pid}

    def submit(self):
        """Starts the example job; returns its id."""
        self._process.say("submit")
        return self._hear("submitted")["job"]

    def kill_task_manager(self):
        """Ends a TaskManager and starts another in its place."""
        self._process.say("kill-taskmanager 0")
        self._hear("killed")
        self._process.say("start-taskmanager")
        self._hear("started-taskmanager")

    def _hear(self, event):
        line = self._process.hear(START_SECONDS)
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            raise Failure(f"Flink in one process said {line!r}; end of its log:\n{tail(self._log)}") from None
        if found.get("event") != event:
            raise Failure(f"expected {event} of Flink in one process, found {line}; end of its log:\n{tail(self._log)}")
        return found


def java_tool(name):
    """Path of a tool of the JDK that runs Flink."""
    found = shutil.which(name)
    if found is None:
        raise Failure(f"{name} of the JDK is not on the PATH")
    return found


__all__ = ["InProcessCluster", "JOB_CLASS", "StandaloneCluster", "java_tool"]
