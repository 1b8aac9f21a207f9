// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A process of {@code cosmos-local} and its administrative interface. */
public final class LocalServer implements AutoCloseable {

    static final ObjectMapper JSON = new ObjectMapper();

    private final Process process;
    private final JsonNode ready;
    private final HttpClient http = HttpClient.newHttpClient();

    private LocalServer(Process process, JsonNode ready) {
        this.process = process;
        this.ready = ready;
    }

    /** Starts the program named by the system property {@code cosmos.local} on a free port. */
    public static LocalServer start(String key) throws IOException {
        Path program = Path.of(System.getProperty("cosmos.local", "cosmos.local is not set"));
        if (!Files.isExecutable(program)) {
            throw new IOException(
                    "the local server is not at "
                            + program
                            + ": build it with 'cargo build --release -p cosmos-local'");
        }
        Path log = Files.createTempFile("cosmos-local-", ".log");
        Process process =
                new ProcessBuilder(
                                program.toString(),
                                "--key",
                                key,
                                // Should this JVM die, the server ends as well.
                                "--exit-with-parent-stdin")
                        .redirectError(log.toFile())
                        .start();
        String line =
                new BufferedReader(
                                new InputStreamReader(
                                        process.getInputStream(), StandardCharsets.UTF_8))
                        .readLine();
        if (line == null) {
            process.destroyForcibly();
            throw new IOException("cosmos-local did not start: " + Files.readString(log));
        }
        return new LocalServer(process, JSON.readTree(line));
    }

    URI endpoint() {
        return URI.create(ready.get("endpoint").asText());
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
    }

    /** Freezes the process: it takes connections and answers nothing. */
    public void freeze() throws IOException, InterruptedException {
        signal("STOP");
    }

    public void thaw() throws IOException, InterruptedException {
        signal("CONT");
    }

    private void signal(String name) throws IOException, InterruptedException {
        int code =
                new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                        .inheritIO()
                        .start()
                        .waitFor();
        if (code != 0) {
            throw new IOException("kill -" + name + " ended with " + code);
        }
    }

    /**
     * Answers the next {@code count} requests of a kind by a status; kinds: the server's README.
     */
    public void status(String operation, int count, int status, int subStatus)
            throws IOException, InterruptedException {
        ObjectNode fault = JSON.createObjectNode();
        fault.put("operation", operation).put("count", count).put("kind", "status");
        fault.put("status", status).put("subStatus", subStatus);
        post("faults", fault);
    }

    /** Every answer comes that much later. */
    public void latency(int millis) throws IOException, InterruptedException {
        post("latency", JSON.createObjectNode().put("millis", millis));
    }

    /** Breaks the answers to the next {@code count} requests: reset, truncate or refuse. */
    public void broken(String operation, int count, String kind)
            throws IOException, InterruptedException {
        ObjectNode fault = JSON.createObjectNode();
        fault.put("operation", operation).put("count", count).put("kind", kind);
        post("faults", fault);
    }

    /** How many requests are still to misbehave. */
    public int faultsLeft() throws IOException, InterruptedException {
        int left = 0;
        for (JsonNode rule : get("faults").findParents("count")) {
            left += rule.get("count").asInt();
        }
        return left;
    }

    public void clearFaults() throws IOException, InterruptedException {
        call(HttpRequest.newBuilder(admin("faults")).DELETE());
    }

    JsonNode get(String path) throws IOException, InterruptedException {
        return JSON.readTree(call(HttpRequest.newBuilder(admin(path))));
    }

    /** Answers of a JSON object a line. */
    List<JsonNode> lines(String path) throws IOException, InterruptedException {
        List<JsonNode> lines = new ArrayList<>();
        for (String line : call(HttpRequest.newBuilder(admin(path))).split("\n")) {
            if (!line.isEmpty()) {
                lines.add(JSON.readTree(line));
            }
        }
        return lines;
    }

    JsonNode post(String path, JsonNode body) throws IOException, InterruptedException {
        return JSON.readTree(
                call(
                        HttpRequest.newBuilder(admin(path))
                                .POST(HttpRequest.BodyPublishers.ofString(body.toString()))));
    }

    private URI admin(String path) {
        return URI.create(ready.get("admin").asText()).resolve(path);
    }

    private String call(HttpRequest.Builder request) throws IOException, InterruptedException {
        HttpResponse<String> response =
                http.send(
                        request.header("content-type", "application/json").build(),
                        HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IOException(
                    response.uri() + " answered " + response.statusCode() + ": " + response.body());
        }
        return response.body();
    }
}
