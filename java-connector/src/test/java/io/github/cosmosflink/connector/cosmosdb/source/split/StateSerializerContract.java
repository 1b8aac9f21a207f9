// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.split;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.cosmosflink.connector.cosmosdb.source.testing.Damage;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.junit.jupiter.api.Test;

/** What each of our serializers owes, whatever has become of its bytes. */
public abstract class StateSerializerContract<T> {

    private static final int CHECKSUM = Integer.BYTES;

    /** Few enough to take less than a second, enough to find a missing check in most runs. */
    private static final int ROUNDS = 20_000;

    private final SimpleVersionedSerializer<T> serializer;
    private final String what;
    private final T value;

    /**
     * @param what what the serializer calls its state in errors
     * @param value with at least one of each field
     */
    protected StateSerializerContract(
            SimpleVersionedSerializer<T> serializer, String what, T value) {
        this.serializer = serializer;
        this.what = what;
        this.value = value;
    }

    /** The value's bytes without the checksum. */
    private byte[] fields() throws IOException {
        byte[] bytes = serializer.serialize(value);
        return Arrays.copyOf(bytes, bytes.length - CHECKSUM);
    }

    private void assertRefused(byte[] bytes, String why, String description) {
        assertThatThrownBy(() -> serializer.deserialize(1, bytes))
                .as(description)
                .isInstanceOf(IOException.class)
                .hasMessageContaining(what + " is corrupt")
                .hasMessageContaining(why);
    }

    @Test
    void aValueComesBack() throws Exception {
        assertThat(serializer.getVersion()).isEqualTo(1);
        assertThat(serializer.deserialize(1, serializer.serialize(value))).isEqualTo(value);
    }

    @Test
    void everyTruncationIsRefused() throws Exception {
        byte[] bytes = serializer.serialize(value);
        for (int length = 0; length < bytes.length; length++) {
            assertRefused(Arrays.copyOf(bytes, length), "", length + " bytes");
        }
    }

    @Test
    void everyFlippedBitIsRefused() throws Exception {
        byte[] bytes = serializer.serialize(value);
        for (int bit = 0; bit < bytes.length * 8; bit++) {
            byte[] damaged = bytes.clone();
            damaged[bit / 8] ^= (byte) (1 << bit % 8);
            assertRefused(damaged, "the checksum", "bit " + bit);
        }
    }

    @Test
    void trailingBytesAreRefused() throws Exception {
        byte[] bytes = serializer.serialize(value);
        assertRefused(Arrays.copyOf(bytes, bytes.length + 2), "the checksum", "behind it");

        byte[] fields = fields();
        assertRefused(
                StateBytesTest.sealed(Arrays.copyOf(fields, fields.length + 2)),
                "2 bytes follow its end",
                "before it");
    }

    @Test
    void anUnknownVersionIsRefused() throws Exception {
        byte[] bytes = serializer.serialize(value);
        for (int version : new int[] {-1, 0, 2}) {
            assertThatThrownBy(() -> serializer.deserialize(version, bytes))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(what + " has format version " + version)
                    .hasMessageContaining("versions 1 to 1");
        }
    }

    /**
     * Whatever comes under a right checksum is refused in our words, or is a value that has just
     * these bytes: nothing is skipped, guessed or repaired.
     */
    @Test
    void damageUnderARightChecksumIsRefusedOrAnotherValue() throws Exception {
        Damage damage = new Damage();
        byte[] fields = fields();
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = StateBytesTest.sealed(damage.of(fields));
            T read;
            try {
                read = serializer.deserialize(1, bytes);
            } catch (IOException e) {
                assertThat(e).as("%s", damage).hasMessageContaining("the state of");
                continue;
            } catch (RuntimeException e) {
                throw new AssertionError(damage + ": " + Arrays.toString(bytes), e);
            }
            assertThat(serializer.serialize(read)).as("%s", damage).isEqualTo(bytes);
        }
    }
}
