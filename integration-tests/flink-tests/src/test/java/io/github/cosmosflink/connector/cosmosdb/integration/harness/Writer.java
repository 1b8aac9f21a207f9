// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Goes on changing a container on a thread of its own until it is closed: new items, updates of old
 * ones, transactions and now and then a delete.
 */
public final class Writer implements AutoCloseable {

    private final TestContainer container;
    private final int partitionKeys;
    private final Thread thread = new Thread(this::run, "writer");
    private final AtomicInteger rounds = new AtomicInteger();
    private volatile boolean closed;
    private volatile Exception failure;

    private Writer(TestContainer container, int partitionKeys) {
        this.container = container;
        this.partitionKeys = partitionKeys;
    }

    /** Starts to write items {@code live-…} and to update those of {@link TestContainer#fill}. */
    public static Writer start(TestContainer container, int partitionKeys) {
        Writer writer = new Writer(container, partitionKeys);
        writer.thread.start();
        return writer;
    }

    private void run() {
        // Always the same schedule; what it meets in the job differs from run to run anyway.
        Random random = new Random(7);
        try {
            while (!closed) {
                round(random, rounds.getAndIncrement());
                // Faster than the slow mappers read, yet not as fast as it can.
                LockSupport.parkNanos(1_000_000);
            }
        } catch (Exception e) {
            failure = e;
        }
    }

    private void round(Random random, int round) throws Exception {
        int key = random.nextInt(partitionKeys);
        String partitionKey = "pk-" + key;
        container.upsert("live-" + round, partitionKey);
        container.upsertTogether(
                Arrays.asList("live-" + round, "a-" + round, "b-" + round), partitionKey);
        container.upsert(old(random, key), partitionKey);
        if (round % 10 == 9) {
            container.delete("a-" + round, partitionKey);
        }
    }

    /** An item of a partition key that was there at the start, if there was one. */
    private String old(Random random, int key) {
        int ofEachKey = container.filled() / partitionKeys;
        return ofEachKey == 0
                ? "old-" + random.nextInt(20)
                : container.filled(key + partitionKeys * random.nextInt(ofEachKey));
    }

    /** Waits until it has gone so many more rounds. */
    public void awaitRounds(int more) throws InterruptedException {
        int goal = rounds.get() + more;
        while (rounds.get() < goal && failure == null) {
            Thread.sleep(1);
        }
        rethrow();
    }

    @Override
    public void close() throws InterruptedException {
        closed = true;
        thread.join();
        rethrow();
    }

    private void rethrow() {
        if (failure != null) {
            // Another exception each time: it may be thrown out of a block whose close throws it
            // again.
            throw new IllegalStateException("the writer has failed", failure);
        }
    }
}
