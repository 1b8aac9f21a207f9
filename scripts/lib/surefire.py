# SPDX-License-Identifier: Apache-2.0
"""What Maven's tests have left in their reports."""

import xml.etree.ElementTree

from .console import Failure


class Totals:
    """Tests of one part."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def totals(folders):
    """Adds up the reports in some folders; one that is not there has none."""
    result = Totals()
    for folder in folders:
        for report in sorted(folder.glob("TEST-*.xml")):
            result.add(totals_of(xml.etree.ElementTree.parse(report).getroot()))
    return result


def totals_of(suite):
    """Counts the tests of one class."""
    tests, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return Totals(tests - failed - skipped, failed, skipped)


def suite(folder, name):
    """The report of a class, by its simple name."""
    found = list(folder.glob(f"TEST-*.{name}.xml"))
    if len(found) != 1:
        raise Failure(f"no report of {name} in {folder}")
    return xml.etree.ElementTree.parse(found[0]).getroot()


def property_of(suite, name):
    """A system property that the tests were run with."""
    return next(item.get("value") for item in suite.iter("property") if item.get("name") == name)
