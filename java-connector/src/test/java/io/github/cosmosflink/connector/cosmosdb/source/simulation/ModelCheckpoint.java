// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A checkpoint that is being taken. */
final class ModelCheckpoint {

    /** A completed one; the readers' states by the parallelism they are dealt for. */
    static final class Completed {

        final long id;
        final byte[] coordinator;
        final List<List<byte[]>> readers;

        Completed(long id, byte[] coordinator, List<List<byte[]>> readers) {
            this.id = id;
            this.coordinator = coordinator;
            this.readers = readers;
        }

        /** As Flink deals it when the job starts from it: in any order, evenly. */
        Completed dealtFor(int parallelism, Random random) {
            if (parallelism == readers.size()) {
                return this;
            }
            List<byte[]> all = new ArrayList<>();
            readers.forEach(all::addAll);
            Collections.shuffle(all, random);
            List<List<byte[]>> dealt = new ArrayList<>();
            for (int i = 0; i < parallelism; i++) {
                dealt.add(new ArrayList<>());
            }
            for (int i = 0; i < all.size(); i++) {
                dealt.get(i % parallelism).add(all.get(i));
            }
            return new Completed(id, coordinator, dealt);
        }
    }

    final long id;

    /** Whether it is a savepoint that ends the job. */
    final boolean ends;

    byte[] coordinator;
    boolean sent;
    private final Map<Integer, List<byte[]>> readers = new HashMap<>();

    ModelCheckpoint(long id, boolean ends) {
        this.id = id;
        this.ends = ends;
    }

    void acknowledged(int reader, List<byte[]> splits) {
        readers.put(reader, splits);
    }

    boolean isAcknowledgedBy(int parallelism) {
        return readers.size() == parallelism;
    }

    Completed complete() {
        List<List<byte[]>> states = new ArrayList<>();
        for (int i = 0; i < readers.size(); i++) {
            states.add(readers.get(i));
        }
        return new Completed(id, coordinator, states);
    }
}
