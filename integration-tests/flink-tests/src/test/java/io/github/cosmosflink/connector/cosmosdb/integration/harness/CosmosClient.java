// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.Locale;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The few signed requests that the tests need to fill a container; for any account. */
final class CosmosClient {

    /** Throttled, or the partition is being split. */
    private static final Set<Integer> PASSING = Set.of(410, 429, 449, 503);

    private final URI endpoint;
    private final SecretKeySpec key;
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    CosmosClient(URI endpoint, String key) {
        this.endpoint = endpoint;
        this.key = new SecretKeySpec(Base64.getDecoder().decode(key), "HmacSHA256");
    }

    /** Creates a resource below {@code parent} ("" is the account). */
    JsonNode create(String parent, String type, JsonNode body, String... headers)
            throws IOException, InterruptedException {
        return send(
                "POST", type, parent, parent.isEmpty() ? type : parent + "/" + type, body, headers);
    }

    void delete(String resource, String type, String... headers)
            throws IOException, InterruptedException {
        send("DELETE", type, resource, resource, null, headers);
    }

    /** Writes a document below a container; returns the stored item. */
    JsonNode upsert(String container, String partitionKey, JsonNode document)
            throws IOException, InterruptedException {
        return create(
                container,
                "docs",
                document,
                "x-ms-documentdb-is-upsert",
                "True",
                "x-ms-documentdb-partitionkey",
                header(partitionKey));
    }

    /** Runs operations as one transaction; returns their results. */
    JsonNode batch(String container, String partitionKey, JsonNode operations)
            throws IOException, InterruptedException {
        return create(
                container,
                "docs",
                operations,
                "x-ms-cosmos-is-batch-request",
                "True",
                "x-ms-cosmos-batch-atomic",
                "True",
                "x-ms-documentdb-partitionkey",
                header(partitionKey));
    }

    void deleteDocument(String container, String partitionKey, String id)
            throws IOException, InterruptedException {
        delete(
                container + "/docs/" + id,
                "docs",
                "x-ms-documentdb-partitionkey",
                header(partitionKey));
    }

    private static String header(String partitionKey) {
        return LocalServer.JSON.createArrayNode().add(partitionKey).toString();
    }

    private JsonNode send(
            String method,
            String type,
            String signed,
            String path,
            JsonNode body,
            String... headers)
            throws IOException, InterruptedException {
        String date =
                DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC));
        HttpRequest.Builder request =
                HttpRequest.newBuilder(endpoint.resolve("/" + path))
                        .header("x-ms-date", date)
                        .header("x-ms-version", "2020-07-15")
                        .header("accept", "application/json")
                        .header("content-type", "application/json")
                        .header("authorization", signature(method, type, signed, date))
                        .method(
                                method,
                                body == null
                                        ? HttpRequest.BodyPublishers.noBody()
                                        : HttpRequest.BodyPublishers.ofString(body.toString()));
        if (headers.length > 0) {
            request.headers(headers);
        }
        HttpResponse<String> response =
                http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (PASSING.contains(response.statusCode())) {
            Thread.sleep(response.headers().firstValueAsLong("x-ms-retry-after-ms").orElse(20));
            return send(method, type, signed, path, body, headers);
        }
        // A batch that failed as a whole says so by 207.
        if (response.statusCode() >= 300 || response.statusCode() == 207) {
            throw new IOException(
                    method
                            + " "
                            + path
                            + " answered "
                            + response.statusCode()
                            + ": "
                            + response.body());
        }
        return response.body().isEmpty() ? null : LocalServer.JSON.readTree(response.body());
    }

    private String signature(String method, String type, String resource, String date) {
        String text =
                method.toLowerCase(Locale.ROOT)
                        + "\n"
                        + type
                        + "\n"
                        + resource
                        + "\n"
                        + date.toLowerCase(Locale.ROOT)
                        + "\n\n";
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            String signature =
                    Base64.getEncoder()
                            .encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
            return URLEncoder.encode(
                    "type=master&ver=1.0&sig=" + signature, StandardCharsets.UTF_8);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("HmacSHA256 is in every JDK", e);
        }
    }
}
