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

    /** What was done to the item. */
    enum Operation {
        /** Created or replaced; the latest-version feed does not tell which. */
        UNKNOWN,
        CREATE,
        REPLACE,
        DELETE
    }

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
     * When the change was made, milliseconds since the epoch; the service's clock has full seconds.
     */
    OptionalLong timestampMillis();

    Operation operation();

    /** The item's ETag, decoded when asked for; null when the document has none. */
    @Nullable
    String etag();
}
