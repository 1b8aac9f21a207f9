// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * One schedule: random steps of a job, its container and what goes wrong with them, then calm until
 * all is read, then the check. The seed says everything.
 *
 * <p>The check: what was committed is the feed, each document once, each commit group whole, in
 * order per partition key; no record was late; in the end no watermark is held and, where splits
 * may move, the readers are even.
 */
final class Schedule {

    private static final int MOST_PARALLELISM = 4;
    private static final int CALM_ROUNDS = 400;

    /** One in so many schedules is watched until the readers are even. */
    private static final int WATCHED = 8;

    private static final int WATCHED_ROUNDS = 60;
    private static final int WATCHED_WRITES = 6;

    /** More than a transfer may last. */
    private static final int LAST_ROUNDS = 16;

    private final long seed;
    private final Random random;
    private final ModelContainer container = new ModelContainer();
    private final boolean bounded;
    private final boolean rebalancing;
    private final boolean watched;
    private ModelJob job;
    private int failuresLeft;

    /** Splits that moved so far. */
    private long moved;

    /** Steps until a failure; below 0 for none. */
    private int troubleIn = -1;

    Schedule(long seed) {
        this.seed = seed;
        // Neighbouring seeds must not give similar numbers.
        this.random = new Random(seed * 0x9E3779B97F4A7C15L ^ seed >>> 7);
        this.bounded = random.nextInt(8) == 0;
        this.rebalancing = random.nextInt(12) != 0;
        this.watched = !bounded && rebalancing && random.nextInt(WATCHED) == 0;
    }

    /**
     * @return how many splits moved
     * @throws Exception what is wrong
     */
    long run() throws Exception {
        for (int i = random.nextInt(3); i > 0; i--) {
            container.split(random.nextInt(ModelContainer.KEYS));
        }
        for (int i = random.nextInt(20); i > 0; i--) {
            write();
        }
        failuresLeft = random.nextInt(5);
        job =
                new ModelJob(
                        random,
                        container,
                        1 + random.nextInt(MOST_PARALLELISM),
                        bounded ? container.lastLsn() : Long.MAX_VALUE,
                        rebalancing);
        long expectedUpTo = container.lastLsn();
        for (int steps = 100 + random.nextInt(300); steps > 0; steps--) {
            step();
            if (failuresLeft > 0 && job.movedSplits() != moved) {
                moved = job.movedSplits();
                // The moments after a move are the most interesting ones to fail in.
                troubleIn = random.nextInt(4) == 0 ? -1 : random.nextInt(12);
            }
            if (troubleIn-- == 0) {
                troubleBehindAMove();
            }
        }
        if (!bounded) {
            for (int key = 0; key < ModelContainer.KEYS; key++) {
                container.write(random, key);
            }
            expectedUpTo = container.lastLsn();
        }
        calmDown(expectedUpTo);
        check(expectedUpTo);
        if (watched) {
            watch();
        }
        return job.movedSplits();
    }

    private void write() {
        container.write(random, random.nextInt(ModelContainer.KEYS));
    }

    private void step() throws Exception {
        if (job.hasStopped() && random.nextInt(6) == 0) {
            startAgain();
        }
        int reader = random.nextInt(job.parallelism());
        switch (random.nextInt(26)) {
            case 0:
            case 1:
                job.fetch(reader);
                break;
            case 2:
            case 3:
            case 4:
                job.poll(reader);
                break;
            case 5:
            case 6:
            case 7:
                job.mail(reader);
                break;
            case 8:
            case 9:
            case 10:
                job.receive(reader);
                break;
            case 11:
            case 12:
                job.coordinate();
                break;
            case 13:
                job.trigger();
                break;
            case 14:
                // A while of nothing but what Flink does by itself.
                round(random.nextBoolean());
                break;
            case 15:
                job.emitWatermark(reader);
                break;
            case 16:
                if (random.nextInt(4) == 0) {
                    container.split(random.nextInt(ModelContainer.KEYS));
                }
                break;
            case 17:
                if (random.nextInt(3) == 0) {
                    job.abortNewest();
                }
                break;
            case 18:
                recover(reader);
                break;
            case 19:
                if (random.nextInt(4) == 0) {
                    trouble(reader);
                }
                break;
            case 20:
                job.announce();
                if (random.nextInt(30) == 0) {
                    job.longTimePasses();
                }
                break;
            case 21:
                drain();
                break;
            case 22:
                readAlone(reader);
                break;
            default:
                write();
        }
    }

    /** After a stop with savepoint. */
    private void startAgain() {
        job.restartAll(1 + random.nextInt(MOST_PARALLELISM));
    }

    private void recover(int reader) {
        if (job.isFailing(reader)) {
            job.fail(reader);
            job.restart(reader);
        }
    }

    private void trouble(int reader) throws Exception {
        if (failuresLeft == 0 || job.hasStopped()) {
            return;
        }
        failuresLeft--;
        switch (random.nextInt(10)) {
            case 0:
                job.loseMail(reader);
                break;
            case 1:
                job.loseReport(reader);
                break;
            case 2:
                job.restartAll(job.parallelism());
                break;
            case 3:
                job.restartAll(1 + random.nextInt(MOST_PARALLELISM));
                break;
            case 4:
                job.stop();
                break;
            default:
                failAlone(reader);
        }
    }

    /** What comes back may be older than the move, in more ways than one. */
    private void troubleBehindAMove() throws Exception {
        if (failuresLeft < 2 || job.hasStopped() || random.nextInt(3) == 0) {
            trouble(random.nextInt(job.parallelism()));
            return;
        }
        failuresLeft--;
        int reader = job.lastHolder();
        job.fail(reader);
        job.restart(reader);
        checkpointBeforeItSpeaks(reader);
    }

    private void failAlone(int reader) throws Exception {
        job.fail(reader);
        if (random.nextInt(3) == 0) {
            return;
        }
        job.restart(reader);
        switch (random.nextInt(3)) {
            case 0:
                // It reads what it has restored before it hears of anything else.
                readAlone(reader);
                break;
            case 1:
                checkpointBeforeItSpeaks(reader);
                break;
            default:
        }
    }

    private void readAlone(int reader) throws Exception {
        for (int i = 0; i < 6; i++) {
            job.fetch(reader);
            job.poll(reader);
        }
        job.emitWatermark(reader);
    }

    /** A checkpoint completes of which the coordinator's part is older than the reader's report. */
    private void checkpointBeforeItSpeaks(int reader) throws Exception {
        while (job.coordinate()) {
            // All that came before.
        }
        job.trigger();
        job.coordinate();
        drain();
        if (failuresLeft > 0) {
            failuresLeft--;
            if (random.nextBoolean()) {
                job.fail(reader);
                job.restart(reader);
            } else {
                job.restartAll(1 + random.nextInt(MOST_PARALLELISM));
            }
        }
    }

    /** Everybody's turn, and perhaps a checkpoint. */
    private void round(boolean checkpoint) throws Exception {
        drain();
        if (job.hasStopped()) {
            startAgain();
            drain();
        }
        for (int reader = 0; reader < job.parallelism(); reader++) {
            for (int i = 0; i < 3; i++) {
                job.fetch(reader);
                while (job.poll(reader)) {
                    // As long as there is something.
                }
            }
            job.emitWatermark(reader);
        }
        drain();
        if (checkpoint) {
            job.trigger();
            drain();
        }
    }

    /** All mail and all events. */
    private void drain() throws Exception {
        boolean busy = true;
        while (busy) {
            busy = false;
            while (job.coordinate()) {
                busy = true;
            }
            for (int reader = 0; reader < job.parallelism(); reader++) {
                while (job.mail(reader)) {
                    busy = true;
                }
                while (job.receive(reader)) {
                    busy = true;
                }
            }
        }
    }

    private void calmDown(long upTo) throws Exception {
        job.calm();
        job.announce();
        for (int reader = 0; reader < job.parallelism(); reader++) {
            recover(reader);
        }
        long expected = documents(upTo);
        for (int round = 0; round < CALM_ROUNDS; round++) {
            round(true);
            if (job.committed.size() >= expected && (!bounded || job.isAtEnd())) {
                return;
            }
        }
    }

    private long documents(long upTo) {
        return container.feed.stream()
                .filter(group -> group.lsn <= upTo)
                .mapToLong(group -> group.documents)
                .sum();
    }

    private void check(long upTo) {
        Map<Integer, List<String>> expected = new HashMap<>();
        for (ModelContainer.Group group : container.feed) {
            for (int i = 0; i < group.documents && group.lsn <= upTo; i++) {
                list(expected, group.key)
                        .add(new String(group.document(i), StandardCharsets.UTF_8));
            }
        }
        Map<Integer, List<String>> found = new HashMap<>();
        for (byte[] document : job.committed) {
            String text = new String(document, StandardCharsets.UTF_8);
            list(found, Integer.parseInt(text.substring(0, text.indexOf(':')))).add(text);
        }
        for (int key = 0; key < ModelContainer.KEYS; key++) {
            if (!list(expected, key).equals(list(found, key))) {
                throw new IllegalStateException(
                        "key "
                                + key
                                + ": the feed is "
                                + list(expected, key)
                                + ", committed was "
                                + list(found, key)
                                + "; readers have "
                                + job.splits());
            }
        }
        if (bounded && !job.isAtEnd()) {
            throw new IllegalStateException("the job does not end; readers have " + job.splits());
        }
    }

    private static List<String> list(Map<Integer, List<String>> lists, int key) {
        return lists.computeIfAbsent(key, k -> new ArrayList<>());
    }

    /** With everybody reading, the readers become even; with nothing to read, no hold is left. */
    private void watch() throws Exception {
        boolean even = false;
        for (int round = 0; round < WATCHED_ROUNDS; round++) {
            for (int i = 0; i < WATCHED_WRITES; i++) {
                container.write(random, (round * WATCHED_WRITES + i) % ModelContainer.KEYS);
            }
            round(true);
            even |= isEven();
        }
        if (!even) {
            throw new IllegalStateException("the readers stay uneven: " + job.splits());
        }
        calmDown(container.lastLsn());
        check(container.lastLsn());
        for (int round = 0; round < LAST_ROUNDS; round++) {
            round(true);
        }
        if (!job.holds().isEmpty()) {
            throw new IllegalStateException("watermarks stay held: " + job.holds());
        }
    }

    private boolean isEven() {
        int most = 0;
        int least = Integer.MAX_VALUE;
        for (Set<String> splits : job.splits()) {
            most = Math.max(most, splits.size());
            least = Math.min(least, splits.size());
        }
        return most - least <= 1;
    }

    @Override
    public String toString() {
        return "schedule of seed " + seed;
    }
}
