# SPDX-License-Identifier: Apache-2.0
"""The tests in a Flink cluster, on Flink versions other than the one that the connector is compiled with.

The JAR is that which Maven packaged before: compiled once, it serves all versions.
"""

import hashlib
import shutil

from . import surefire
from .console import Failure, progress
from .paths import LOGS, ROOT, release_binary
from .processes import step

VERSIONS = ("2.2.0", "2.3.0")

# Flink's own judge of a source.
SUITE = "FlinkSourceSuiteITCase"
SUITE_CASES = 8

_CONNECTOR = ROOT / "java-connector" / "target"
_TESTS = "integration-tests/flink-tests"


def run(version, everything):
    """Compiles the tests with a version and runs them: Flink's own suite, or everything. Returns their totals."""
    jar = _jar()
    before = hashlib.sha256(jar.read_bytes()).hexdigest()
    folder = f"target/flink-{version}"
    reports = ROOT / _TESTS / folder / "surefire-reports"
    shutil.rmtree(reports, ignore_errors=True)
    command = ["mvn", "-B", "-ntp", "verify", "-P", "as-built", "-pl", f"java-connector,{_TESTS}", "-am"]
    command += [f"-Dflink.version={version}", f"-Dflink.tests.target={folder}", "-Dspotless.check.skip"]
    command += [f"-Dcosmos.local={release_binary('cosmos-local')}"]
    if not everything:
        command += [f"-Dtest={SUITE}", "-Dsurefire.failIfNoSpecifiedTests=false"]
    try:
        step(f"Flink {version}", command, LOGS / f"test-flink-{version}.log", cwd=ROOT)
    finally:
        totals = surefire.totals([reports])
        progress(f"Flink {version}: {totals}")
    _check(version, jar, before, reports)
    return totals


def _jar():
    jars = sorted(_CONNECTOR.glob("flink-connector-cosmosdb-*.jar"))
    if len(jars) != 1:
        raise Failure(f"expected one JAR of the connector in {_CONNECTOR}, found {[jar.name for jar in jars]}")
    return jars[0]


def _check(version, jar, before, reports):
    """What the versions are for: this Flink, that JAR, every case of the suite."""
    if hashlib.sha256(jar.read_bytes()).hexdigest() != before:
        raise Failure(f"{jar.name} was built anew for Flink {version}")
    suite = check_suite(version, reports)
    class_path = surefire.property_of(suite, "surefire.test.class.path")
    for part in (f"/flink-runtime-{version}.jar", f"/{jar.name}"):
        if part not in class_path:
            raise Failure(f"the tests with Flink {version} had no {part[1:]} in their class path")


def check_suite(version, reports):
    """Every case of Flink's suite has to have passed; returns their report."""
    suite = surefire.suite(reports, SUITE)
    passed = surefire.totals_of(suite).passed
    if passed != SUITE_CASES:
        raise Failure(f"{passed} of the {SUITE_CASES} cases of Flink's suite passed with Flink {version}")
    return suite
