# SPDX-License-Identifier: Apache-2.0
"""What is done to a running job: to the service that it reads from, and to the cluster that it runs in.

Both have a schedule of their own, drawn from a seed, and run at the same time, so that one hits the job while it still
suffers from the other. The order and kind of what happens follows from the seed; the moments also depend on how fast the
cluster recovers.
"""

import json
import random
import threading
import time

from .console import Failure, progress


class Journal:
    """Everything that happened, as lines of JSON, and how often."""

    def __init__(self, file):
        self._file = open(file, "w", buffering=1)
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self.counts = {}

    def note(self, what, **details):
        with self._lock:
            kinds = [what, f"{what} by {details['by']}"] if "by" in details else [what]
            for kind in kinds:
                self.counts[kind] = self.counts.get(kind, 0) + 1
            seconds = round(time.monotonic() - self._begin, 1)
            line = {"seconds": seconds, "at": int(time.time() * 1000), "what": what, **details}
            self._file.write(json.dumps(line) + "\n")
        told = ", ".join(f"{name} {value}" for name, value in details.items())
        progress(f"{what}{': ' + told if told else ''}")

    def count(self, what):
        return self.counts.get(what, 0)

    def close(self):
        self._file.close()


class Deck:
    """Names in a random order: the first one, then those that are demanded, then more of all, deck after deck."""

    def __init__(self, dice, first, demanded, more):
        self._dice = dice
        self._more = more
        self._cards = list(demanded)
        dice.shuffle(self._cards)
        self._cards.insert(0, first)

    def draw(self):
        if not self._cards:
            self._cards = list(self._more)
            self._dice.shuffle(self._cards)
        return self._cards.pop(0)


class ServiceTormentor(threading.Thread):
    """Splits, merges, throttles, breaks connections, stops answering and restarts, until it is told to end."""

    MOST_PARTITIONS = 10
    # The SDK of the writer leaves a region alone for a minute that has refused a write.
    SECONDS_BETWEEN_FAILOVERS = 70
    PAUSE_SECONDS = (1.0, 6.0)
    DECK = (
        ["split"] * 4
        + ["merge"] * 3
        + ["nested_split", "split_many", "throttle", "throttle", "reset", "reset", "truncate", "wrong_length"]
        + ["unavailable", "late_answers", "latency", "refuse", "freeze", "restart", "restart", "lost_partitions"]
        + ["failover", "failover", "region_down", "region_lag"]
    )

    def __init__(self, server, container, seed, journal, merges_file):
        super().__init__(name="service tormentor", daemon=True)
        self._server = server
        self._container = container
        self._dice = random.Random(f"service {seed}")
        demanded = ["split", "split", "merge", "restart", "failover", "throttle", "reset", "freeze"]
        self._deck = Deck(self._dice, "split", demanded, self.DECK)
        self._journal = journal
        self._merges = open(merges_file, "w", buffering=1)
        self._end = threading.Event()
        self._last_failover = None
        self.failure = None

    def run(self):
        try:
            while not self._end.wait(self._dice.uniform(*self.PAUSE_SECONDS)):
                getattr(self, self._deck.draw())()
        except Exception as failure:  # pylint: disable=broad-except
            # Told to the main thread, which ends the run.
            self.failure = failure

    def check(self):
        if self.failure is not None:
            raise Failure(f"the tormentor of the service failed: {self.failure!r}")

    def end(self):
        """Ends it and leaves the service as it should be."""
        self._end.set()
        self.join(60)
        self._server.clear_faults()
        self._server.latency(0)
        for region in self._server.regions():
            self._server.change_region(region["name"], state="online", lagMillis=0)
        self._merges.close()
        self.check()

    def _partitions(self):
        return self._server.state(self._container)["partitions"]

    def _lock_millis(self):
        return self._dice.choice([0, 0, 200, 700, 2000])

    def split(self, partition=None):
        partitions = self._partitions()
        if len(partitions) >= self.MOST_PARTITIONS:
            return self.merge()
        partition = partition or self._dice.choice(partitions)["id"]
        lock = self._lock_millis()
        children = self._server.split(self._container, lock, partition)["children"]
        self._journal.note("split", parent=partition, children=" ".join(children), lock_ms=lock)
        return children

    def nested_split(self):
        """A child is split right away, while readers are still about the parent."""
        children = self.split()
        if isinstance(children, list):
            self.split(children[0])

    def split_many(self):
        """Several partitions at once; the server takes them one after the other."""
        partitions = self._partitions()
        if len(partitions) < 2:
            return self.split()
        if len(partitions) + 1 >= self.MOST_PARTITIONS:
            # There would be a merge instead of one of the splits, and maybe of what the other is to split.
            return self.merge()
        for partition in self._dice.sample(partitions, k=2):
            self.split(partition["id"])
        return None

    def merge(self):
        before = self._partitions()
        if len(before) < 3:
            return self.split()
        first = self._dice.randrange(len(before) - 1)
        pair = before[first : first + 2]
        ids = [partition["id"] for partition in pair]
        lock, renumber = self._lock_millis(), self._dice.random() < 0.5
        began = int(time.time() * 1000)
        child = self._server.merge(self._container, ids, lock, renumber)["child"]
        last_seq = self._server.state(self._container)["writes"]
        ancestors = sorted({*ids, *(parent for partition in pair for parent in partition["parents"])})
        bounds = {"min": pair[0]["minInclusive"], "max": pair[1]["maxExclusive"]}
        merge = {"ancestors": ancestors, **bounds, "began_ms": began, "last_seq": last_seq}
        self._merges.write(json.dumps(merge) + "\n")
        self._journal.note("merge", parents=" ".join(ids), child=child, lock_ms=lock, renumbered=renumber)
        return None

    def _fault(self, what, **rule):
        self._server.fault(**rule)
        self._journal.note(what, **rule)

    def _storm(self, what, **rule):
        """Every request fails for a while. For a while and not for a number of requests: who is told to wait asks less,
        and would wait for ever longer to use them up."""
        seconds = self._dice.uniform(0.5, 3)
        self._fault(what, count=1_000_000, **rule)
        self._end.wait(seconds)
        self._server.clear_faults()

    def throttle(self):
        wait, operation = self._dice.choice([0, 100, 1000]), self._dice.choice(["changefeed", "any"])
        self._storm("throttle", operation=operation, kind="status", status=429, subStatus=3200, retryAfterMillis=wait)

    def reset(self):
        self._fault("reset", operation="changefeed", kind="reset", count=self._dice.randint(1, 6))

    def truncate(self):
        self._fault("truncate", operation="changefeed", kind="truncate", count=self._dice.randint(1, 6))

    def wrong_length(self):
        """An answer announces more than it has, or has only half and says that this is all."""
        kind = self._dice.choice(["long", "short"])
        self._fault("wrong_length", operation="changefeed", kind=kind, count=self._dice.randint(1, 6))

    def unavailable(self):
        status = self._dice.choice([503, 500, 408])
        self._storm("unavailable", operation="any", kind="status", status=status)

    def late_answers(self):
        delay = self._dice.randint(200, 3000)
        self._fault("late_answers", operation="changefeed", kind="delay", delayMillis=delay, count=self._dice.randint(1, 8))

    def lost_partitions(self):
        """The list of partitions cannot be had just when it is needed."""
        self._fault("lost_partitions", operation="pkranges", kind="status", status=503, count=self._dice.randint(1, 6))
        self.split()

    def refuse(self):
        self._storm("refuse", operation="any", kind="refuse")

    def latency(self):
        millis, seconds = self._dice.randint(20, 300), self._dice.uniform(2, 6)
        self._journal.note("latency", millis=millis, seconds=round(seconds, 1))
        self._server.latency(millis)
        self._end.wait(seconds)
        self._server.latency(0)

    def freeze(self):
        """A server that is busy with something else: connections stay, nothing is answered."""
        seconds = self._dice.uniform(1, 7)
        self._journal.note("freeze", seconds=round(seconds, 1))
        self._server.freeze(seconds)

    def restart(self):
        """Connections are reset, connecting is refused for a while, and then all is as before."""
        seconds = self._dice.uniform(1, 5)
        self._server.restart(seconds)
        self._journal.note("server_restart", seconds=round(seconds, 1))

    def failover(self):
        """The other region takes the writes at once; what it lagged behind it has seen by then."""
        now = time.monotonic()
        if self._last_failover is not None and now - self._last_failover < self.SECONDS_BETWEEN_FAILOVERS:
            return self.region_down()
        self._last_failover = now
        to = self._server.regions()[1]["name"]
        self._server.fail_over(to)
        return self._journal.note("failover", to=to)

    def region_down(self):
        """One of the two regions answers nothing for a while."""
        region = self._dice.choice(self._server.regions())
        seconds = self._dice.uniform(1, 5)
        self._server.change_region(region["name"], state="down")
        self._journal.note("region_down", region=region["name"], writes=region["writes"], seconds=round(seconds, 1))
        self._end.wait(seconds)
        self._server.change_region(region["name"], state="online")

    def region_lag(self):
        """The region that takes no writes sees them later from now on, also when it is the other one that takes none."""
        region = self._dice.choice(self._server.regions())
        millis = self._dice.choice([0, 300, 1500])
        self._server.change_region(region["name"], lagMillis=millis)
        self._journal.note("region_lag", region=region["name"], millis=millis)


class ClusterTormentor:
    """Kills, stops, restores and rescales; one thing after the other, mostly but not always waiting for recovery."""

    # Fits into the slots of one TaskManager less than there are. The first kill meets the default scheduler, which restarts
    # the subtasks of the dead TaskManager alone.
    PARALLELISM = (2, 3, 4)
    DECK = ["kill_task_manager"] * 4 + ["kill_task_managers", "freeze_task_manager", "kill_job_manager",
            "rescale_by_savepoint", "rescale_by_checkpoint", "rescale_in_place"]  # fmt: skip
    # The cluster gives a TaskManager up after 10 s.
    FREEZE_SECONDS = (8, 14)

    def __init__(self, run, seed, journal, demanded):
        self._run = run
        self._cluster = run.cluster
        self._dice = random.Random(f"cluster {seed}")
        self._deck = Deck(self._dice, "kill_task_manager", demanded, self.DECK)
        self._journal = journal
        self._adaptive = False

    def strike(self):
        """The next blow, and mostly the time to recover from it."""
        self._dice_pause(0.5, 4.0)
        getattr(self, self._deck.draw())()

    def _recover(self):
        self._cluster.rest.wait_for_recovery(self._run.job, self._dice.choice([1, 2, 3]))

    def _dice_pause(self, least, most):
        time.sleep(self._dice.uniform(least, most))

    def _kill_one(self, before):
        """Kills a TaskManager; another is started before or after."""
        victim = self._dice.choice(self._cluster.running_task_managers())
        if before:
            self._cluster.start_task_manager()
            self._cluster.wait_until_complete()
        victim.kill()
        self._journal.note("taskmanager_kill", victim=victim.name, replaced="before" if before else "after")
        if not before:
            self._dice_pause(0, 3)
            self._cluster.start_task_manager()

    def kill_task_manager(self):
        self._kill_one(before=self._dice.random() < 0.4)
        self._recover()

    def kill_task_managers(self):
        """A second one while the job has hardly noticed the first."""
        self._kill_one(before=False)
        self._dice_pause(0, 4)
        self._kill_one(before=False)
        self._recover()

    def freeze_task_manager(self):
        """It is given up and replaced, and wakes up not knowing that."""
        victim = self._dice.choice(self._cluster.running_task_managers())
        seconds = self._dice.uniform(*self.FREEZE_SECONDS)
        self._journal.note("taskmanager_freeze", victim=victim.name, seconds=round(seconds, 1))
        victim.freeze(seconds)
        self._recover()

    def kill_job_manager(self):
        """The one that comes back has the other scheduler: the default one restarts regions, the adaptive one rescales."""
        self._adaptive = not self._adaptive
        scheduler = "Adaptive" if self._adaptive else "Default"
        self._cluster.restart_job_manager({"jobmanager.scheduler": scheduler})
        self._journal.note("jobmanager_kill", next_scheduler=scheduler)
        self._recover()

    def _parallelism(self):
        return self._dice.choice([each for each in self.PARALLELISM if each != self._run.parallelism])

    def rescale_by_savepoint(self):
        parallelism = self._parallelism()
        savepoint = self._run.stop()
        self._run.start(parallelism, savepoint)
        self._journal.note("rescale", by="savepoint", parallelism=parallelism)
        self._recover()

    def rescale_by_checkpoint(self):
        """The job is cancelled as it is and restored from its last checkpoint."""
        parallelism = self._parallelism()
        checkpoint = self._run.abandon()
        self._run.start(parallelism, checkpoint)
        self._journal.note("rescale", by="checkpoint", parallelism=parallelism)
        self._recover()

    def rescale_in_place(self):
        """Without a savepoint, which the adaptive scheduler can do: a JobManager that has it takes over first."""
        if not self._adaptive:
            self.kill_job_manager()
        parallelism = self._parallelism()
        self._cluster.rest.rescale(self._run.job, parallelism)
        self._run.parallelism = parallelism
        self._journal.note("rescale", by="scheduler", parallelism=parallelism)
        self._recover()
