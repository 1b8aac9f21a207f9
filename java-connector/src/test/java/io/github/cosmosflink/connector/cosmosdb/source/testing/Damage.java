// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.testing;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;

/**
 * Bytes as they may come from outside: valid ones changed at random, now and then random
 * altogether. Its text form has the seed, which the system property {@code damage.seed} sets.
 */
public final class Damage {

    /** Lengths, counts and offsets that tend to be taken for something else. */
    private static final int[] NUMBERS = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0xffff, Integer.MAX_VALUE, Integer.MIN_VALUE, -1, -2
    };

    private static final int MOST_CHANGES = 4;

    private final long seed = Long.getLong("damage.seed", System.nanoTime());
    private final Random random = new Random(seed);

    public byte[] of(byte[] valid) {
        if (random.nextInt(20) == 0) {
            return randomBytes(random.nextInt(2 * valid.length + 1));
        }
        byte[] damaged = valid.clone();
        for (int changes = 1 + random.nextInt(MOST_CHANGES); changes > 0; changes--) {
            damaged = changed(damaged);
        }
        return damaged;
    }

    private byte[] changed(byte[] bytes) {
        int at = random.nextInt(bytes.length + 1);
        int length = Math.min(random.nextInt(9), bytes.length - at);
        switch (random.nextInt(5)) {
            case 0:
                return spliced(bytes, at, at + length, new byte[0]);
            case 1:
                return spliced(bytes, at, at, randomBytes(length));
            case 2:
                return spliced(bytes, at, at, Arrays.copyOfRange(bytes, at, at + length));
            case 3:
                return spliced(bytes, at, at + length, randomBytes(length));
            default:
                return spliced(bytes, at, Math.min(at + Integer.BYTES, bytes.length), number());
        }
    }

    private byte[] number() {
        int number = NUMBERS[random.nextInt(NUMBERS.length)];
        return ByteBuffer.allocate(Integer.BYTES)
                .putInt(random.nextBoolean() ? number : Integer.reverseBytes(number))
                .array();
    }

    private byte[] randomBytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] spliced(byte[] bytes, int from, int to, byte[] instead) {
        return ByteBuffer.allocate(from + instead.length + bytes.length - to)
                .put(bytes, 0, from)
                .put(instead)
                .put(bytes, to, bytes.length - to)
                .array();
    }

    @Override
    public String toString() {
        return "damage.seed " + seed;
    }
}
