// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import java.util.OptionalLong;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What the change feed says about a document beside the document itself. A view that is valid only
 * during the call of {@link CosmosDBDeserializationSchema#deserialize}; take from it what is to be
 * kept.
 */
@PublicEvolving
public interface CosmosDBRecordMetadata {

    /** The id of the feed range that the document was read from. */
    String splitId();

    /** That feed range, {@code [minInclusive,maxExclusive)} of effective partition keys in hex. */
    String feedRange();

    /**
     * The log sequence number. It orders the changes of one physical partition and is shared by the
     * items of one transactional batch; numbers of different partitions cannot be compared.
     */
    OptionalLong lsn();

    /**
     * When the change was made, milliseconds since the epoch: {@code _ts}, and {@code crts} of a
     * delete, which has no document. The service's clock has full seconds.
     */
    OptionalLong timestampMillis();

    /** What was done to the item. */
    ChangeOperation operation();

    /** Whether the item was deleted because its time to live was over. */
    boolean isTimeToLiveExpired();

    /**
     * The item's id, decoded when asked for; of a delete too. Null when the service did not say it.
     */
    @Nullable
    String id();

    /**
     * The item's partition key, JSON text as the service sent it: with deletes, of which there is
     * no document. Null elsewhere.
     */
    @Nullable
    String partitionKey();

    /**
     * The item's JSON before the change as UTF-8, a fresh array: with replaces and deletes of all
     * versions and deletes, when the service still has it. Null otherwise.
     */
    @Nullable
    byte[] previousDocument();

    /** The item's ETag, decoded when asked for; null when the document has none. */
    @Nullable
    String etag();
}
