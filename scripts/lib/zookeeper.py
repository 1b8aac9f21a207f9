# SPDX-License-Identifier: Apache-2.0
"""A ZooKeeper for Flink's high availability: the one that the distribution brings along."""

import os
import shutil
import socket

from .processes import free_port, wait_for

START_SECONDS = 60
_CONFIGURATION = """\
tickTime=1000
initLimit=10
syncLimit=5
dataDir={data}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
server.1=127.0.0.1:{peer}:{leader}
"""
# No configuration of a cluster is there yet; the script reads one for the options of the JVM.
_FLINK = """\
env.java.opts.all: -Djava.io.tmpdir={tmp}
zookeeper.heap.mb: 128
"""
_LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = Console
appender.console.type = Console
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c - %m%n
"""


class ZooKeeper:
    """One server."""

    def __init__(self, processes, home, folder):
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("conf", "data", "tmp", "storage"):
            (folder / name).mkdir(parents=True)
        self._folder = folder
        self._port = free_port()
        text = _CONFIGURATION.format(data=folder / "data", port=self._port, peer=free_port(), leader=free_port())
        (folder / "conf" / "zoo.cfg").write_text(text)
        (folder / "conf" / "config.yaml").write_text(_FLINK.format(tmp=folder / "tmp"))
        (folder / "conf" / "log4j-console.properties").write_text(_LOG4J)
        environment = {
            **os.environ,
            "FLINK_HOME": str(home),
            "FLINK_CONF_DIR": str(folder / "conf"),
            "FLINK_LOG_DIR": str(folder),
            "FLINK_PID_DIR": str(folder),
        }
        environment.pop("COSMOS_KEY", None)
        command = [home / "bin" / "zookeeper.sh", "start-foreground", "1"]
        self._process = processes.start(
            "zookeeper", command, folder / "zookeeper.out", environment=environment, cwd=folder
        )
        wait_for("ZooKeeper", self._answers, START_SECONDS)

    def settings(self):
        """What a cluster's configuration says to rely on it."""
        return {
            "high-availability.type": "zookeeper",
            "high-availability.zookeeper.quorum": f"127.0.0.1:{self._port}",
            "high-availability.storageDir": (self._folder / "storage").as_uri(),
            "high-availability.cluster-id": "/chaos",
            # A dead JobManager leads until its session ends.
            "high-availability.zookeeper.client.session-timeout": 6000,
            "high-availability.zookeeper.client.connection-timeout": 6000,
        }

    def _answers(self):
        self._process.check()
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False
