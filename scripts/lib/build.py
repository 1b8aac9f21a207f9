# SPDX-License-Identifier: Apache-2.0
"""Builds what the scripts run. Cargo and Maven decide by themselves what is up to date."""

import os

from . import prerequisites
from .paths import LOGS, ROOT, TARGET, release_binary
from .processes import step

EXAMPLES = ROOT / "integration-tests" / "target"
EXAMPLES_JAR = EXAMPLES / "cosmosdb-examples.jar"
EXAMPLES_CLASSES = EXAMPLES / "classes"
EXAMPLES_CLASSPATH = EXAMPLES / "classpath.txt"
CONNECTOR_TEST_CLASSPATH = TARGET / "simulate" / "classpath.txt"
# The halves of the simulation.
HALVES = ("rust", "java")


def programs():
    """The local server, the writer, the verifier."""
    return step(
        "build the local server and the tools",
        ["cargo", "build", "--release", "--locked", "-p", "cosmos-local", "-p", "integration-tools"],
        LOGS / "build-programs.log",
        cwd=ROOT,
    )


def local_server():
    """The local server alone."""
    return step(
        "build the local server",
        ["cargo", "build", "--release", "--locked", "-p", "cosmos-local"],
        LOGS / "build-cosmos-local.log",
        cwd=ROOT,
    )


def fuzzers():
    """The fuzzers of scripts/fuzz: with libFuzzer where there is a C++ compiler, unguided elsewhere."""
    fuzz = ROOT / "rust-core" / "fuzz"
    command = ["cargo", "build", "--release", "--locked", "-p", "fuzz-targets"]
    environment = dict(os.environ)
    if prerequisites.has_cpp_compiler():
        command += ["--features", "libfuzzer"]
        for seeds in sorted((fuzz / "corpus").iterdir()):
            command += ["--bin", f"fuzz-{seeds.name}"]
        environment["RUSTC_WORKSPACE_WRAPPER"] = str(fuzz / "instrument")
    else:
        command += ["--bin", "fuzz-unguided"]
    return step("build the fuzzers", command, LOGS / "build-fuzzers.log", environment=environment, cwd=ROOT)


def jars():
    """The connector with its native library, and the example job."""
    return step(
        "build the connector and the example job",
        ["mvn", "-B", "-ntp", "package", "-DskipTests", "-pl", "integration-tests", "-am"],
        LOGS / "build-jars.log",
        cwd=ROOT,
    )


def simulations(halves=HALVES):
    """What `scripts/simulate` runs: the core's half, the connector's, or both."""
    if "rust" in halves:
        command = ["cargo", "build", "--release", "--locked", "-p", "simulation"]
        step("build the core's simulation", command, LOGS / "build-simulation-rust.log", cwd=ROOT)
    if "java" in halves:
        classpath = [f"-Dmdep.outputFile={CONNECTOR_TEST_CLASSPATH}", "-Dmdep.includeScope=test"]
        goals = ["test-compile", "dependency:build-classpath", *classpath]
        command = ["mvn", "-B", "-ntp", "-pl", "java-connector", "-Dnatives.skip", *goals]
        step("build the connector's simulation", command, LOGS / "build-simulation-java.log", cwd=ROOT)


def flink_tests():
    """The tests in a Flink cluster, for programs among them; runs none."""
    return step(
        "build the tests in a Flink cluster",
        ["mvn", "-B", "-ntp", "package", "-DskipTests", "-pl", "integration-tests/flink-tests", "-am"],
        LOGS / "build-flink-tests.log",
        cwd=ROOT,
    )


def everything():
    """All of it; returns the seconds."""
    prerequisites.check()
    return programs() + jars()


__all__ = [
    "CONNECTOR_TEST_CLASSPATH",
    "EXAMPLES_CLASSES",
    "EXAMPLES_CLASSPATH",
    "EXAMPLES_JAR",
    "HALVES",
    "everything",
    "flink_tests",
    "fuzzers",
    "jars",
    "local_server",
    "programs",
    "release_binary",
    "simulations",
]
