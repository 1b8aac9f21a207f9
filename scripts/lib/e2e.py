# SPDX-License-Identifier: Apache-2.0
"""What Microsoft's end-to-end tests need beside the crate: a catalogue of scenarios, and a management interface.

The published crate has the tests, but not the documents that they include: which scenario runs with which profile.
These are written here, as small as the tests' own parser allows. The management interface is that of Microsoft's
hosted emulator, as far as a split and a merge go; behind it is the local server's own.
"""

import http.server
import json
import re
import threading

from .console import Failure
from .flink_rest import Refused, call

INCLUDED = re.compile(r'include_str!\("\.\./\.\./\.\./([^"]+\.json)"\)')
BACKENDS = ("azureLive", "hostedEmulatorGatewayV1", "hostedEmulatorGatewayV2")
# Scenarios that are run, by the end of their path; the other tests find theirs under no profile and return.
SCENARIOS = {
    "queries/change-feed-all-versions-starts.json": ("changefeed.all-versions-start-validation", "smokeTests"),
    "queries/change-feed-pagination-resume.json": ("changefeed.pagination-resume", "smokeTests"),
    "topology/continuation-transitions.json": ("topology.continuation-transitions", "dynamicTopology"),
}
ROUTING = {"smokeTests": "proximity", "dynamicTopology": "preferredRegions"}
REGIONS = ("East US", "West US", "North Europe")


def write_catalogue(crate):
    """Writes the documents that the crate's catalogue includes, beside the copy of the crate."""
    source = (crate / "tests" / "e2e_test_cases" / "catalog.rs").read_text(encoding="utf-8")
    paths = INCLUDED.findall(source)
    missing = [path for path in SCENARIOS if not any(found.endswith(path) for found in paths)]
    if missing:
        raise Failure(f"the crate's catalogue names no {', '.join(missing)}")
    for number, path in enumerate(paths):
        file = crate.parent / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if "/scenarios/" in path:
            document = _scenario(number, path)
        elif "/profiles/" in path:
            document = _profile(file.stem)
        else:
            document = {}
        text = json.dumps(document)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _scenario(number, path):
    known = [SCENARIOS[end] for end in SCENARIOS if path.endswith(end)]
    identity, profile = known[0] if known else (f"other.scenario-{number}", "none")
    backend = {"applicability": "supported", "fidelity": "full"}
    return {
        "$schema": "../../schema/scenario.v1.json",
        "specVersion": "1.0",
        "id": identity,
        "title": identity,
        "requirement": identity,
        "maturity": "candidate",
        "precedents": [],
        "profiles": [profile],
        "tags": [],
        "backends": {name: backend for name in BACKENDS},
    }


def _profile(name):
    return {
        "$schema": "../schema/profile.v1.json",
        "specVersion": "1.0",
        "id": name,
        "accounts": [
            {
                "id": "account",
                "writeMode": "single",
                "consistency": "session",
                "regions": [{"name": region} for region in REGIONS],
                "replication": {"minDelayMs": 0, "maxDelayMs": 0},
                "perPartitionFailover": False,
            }
        ],
        "runtimes": [
            {
                "id": "runtime",
                "gatewayV2": "backendDefault",
                "ppcb": "sdkDefault",
                "defaultReadConsistencyStrategy": None,
            }
        ],
        "clients": [
            {
                "id": "client",
                "binaryEncoding": "sdkDefault",
                "routing": ROUTING.get(name, "proximity"),
                "defaultReadConsistencyStrategy": None,
            }
        ],
    }


class Management:
    """The management interface on a free port of the loopback address; close it when done."""

    PHASES = ("Preparing", "Swapping", "Succeeded")

    def __init__(self, server):
        self._server = server
        self._operations = {}
        management = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                management.answer(self, None)

            def do_POST(self):
                length = int(self.headers.get("content-length") or 0)
                management.answer(self, json.loads(self.rfile.read(length) or b"{}"))

            def log_message(self, *_):
                """Requests are in the local server's log."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._http.server_address[1]}/"

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler, body):
        try:
            status, document = 200, self._respond(handler.path.strip("/").split("/"), body)
        except Refused as refused:
            status, document = refused.status, {"error": str(refused)}
        except KeyError as unknown:
            status, document = 404, {"error": f"there is no {unknown}"}
        text = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _respond(self, path, body):
        match path:
            case ["capabilities"]:
                protocols = {"gatewayV2": False}
                return {"apiVersion": 1, "protocols": protocols, "dataPlane": [], "managementActions": []}
            case ["databases", database, "containers", container, "partitions", partition, "split"]:
                return self._begin(database, container, "split", {"partition": partition})
            case ["databases", database, "containers", container, "partitions", "merge"]:
                parents = [str(parent) for parent in body["partitionIds"]]
                return self._begin(database, container, "merge", {"partitions": parents})
            case ["operations", identity]:
                return self._operations[identity]["shown"]
            case ["operations", identity, "advance"]:
                return self._advance(self._operations[identity])
        raise KeyError("/".join(path))

    def _begin(self, database, container, verb, body):
        identity = str(len(self._operations) + 1)
        shown = {"operationId": identity, "phase": self.PHASES[0]}
        address = f"{self._server.admin}containers/{database}/{container}/{verb}"
        self._operations[identity] = {"address": address, "body": body, "shown": shown}
        return shown

    def _advance(self, operation):
        shown = operation["shown"]
        phase = self.PHASES.index(shown["phase"]) + 1
        if self.PHASES[phase] == "Succeeded":
            done = call("POST", operation["address"], operation["body"])
            if "child" in done:
                shown["into"] = int(done["child"])
            else:
                shown["children"] = [int(child) for child in done["children"]]
        shown["phase"] = self.PHASES[phase]
        return shown
