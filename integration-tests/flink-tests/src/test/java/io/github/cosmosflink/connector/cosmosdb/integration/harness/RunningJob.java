// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.util.ExceptionUtils;

/** A job that was submitted. */
public final class RunningJob {

    private static final long PATIENCE_SECONDS = 60;
    private static final long LOOK_AGAIN_MILLIS = 50;

    private final JobClient client;
    private final Path output;

    RunningJob(JobClient client, Path output) {
        this.client = client;
        this.output = output;
    }

    public JobStatus status() throws Exception {
        return client.getJobStatus().get();
    }

    /**
     * Waits until the last version of every item written so far is committed. For a container that
     * nobody writes meanwhile: of an item that is updated, older versions may never come.
     */
    public void awaitAllOf(TestContainer container) throws Exception {
        List<Write> writes = container.writes();
        await(committed -> committed.lost(writes).isEmpty(), () -> "lost " + lost(writes));
    }

    /**
     * Waits until as many changes are committed as were written behind some LSNs. For a container
     * that nobody writes meanwhile, and a job that reads all versions.
     */
    public void awaitChangesOf(TestContainer container, Map<String, Long> after) throws Exception {
        awaitCommitted(
                (int)
                        container.writes().stream()
                                .filter(write -> write.lsn > after.get(write.root))
                                .count());
    }

    /**
     * Lets a task fail, and waits until the job runs again. Goes through {@link
     * Mappers#slowAndFailing}.
     */
    public void failOnce() throws Exception {
        Mappers.failNext();
        Await.until("a change to fail at", Mappers::hasFailed);
        awaitCheckpoint();
    }

    /** Waits until a checkpoint that was begun from now on has completed. */
    public void awaitCheckpoint() throws Exception {
        long before = ToLine.lastCompletedCheckpoint();
        // One may be under way and have passed the source.
        Await.until("a checkpoint", () -> ToLine.lastCompletedCheckpoint() > before + 1);
    }

    /** Waits until so many changes are committed. */
    public void awaitCommitted(int changes) throws Exception {
        await(
                committed -> committed.changes().size() >= changes,
                () -> "committed " + committed().changes().size() + " of " + changes);
    }

    private String lost(List<Write> writes) throws IOException {
        List<String> lost = committed().lost(writes);
        return lost.size()
                + " of "
                + writes.size()
                + ": "
                + lost.subList(0, Math.min(5, lost.size()));
    }

    private interface Description {
        String get() throws IOException;
    }

    private void await(Predicate<CommittedChanges> condition, Description missing)
            throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.test(committed())) {
            if (status().isGloballyTerminalState()) {
                // Throws when the job failed; a bounded job has just committed its last files.
                client.getJobExecutionResult().get();
                assertThat(condition.test(committed())).as(missing.get()).isTrue();
                return;
            }
            assertThat(System.nanoTime()).as(missing.get()).isLessThan(deadline);
            Thread.sleep(LOOK_AGAIN_MILLIS);
        }
    }

    public CommittedChanges committed() throws IOException {
        return CommittedChanges.in(output);
    }

    /** Stops the job with a savepoint, whose path it returns. */
    public String stop(Path savepoints) throws Exception {
        return client.stopWithSavepoint(
                        false, savepoints.toUri().toString(), SavepointFormatType.CANONICAL)
                .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /**
     * The last checkpoint that a job has left behind, see {@link ReadJob#retainingCheckpoints}. To
     * be called when the job has ended.
     */
    public String lastRetainedCheckpoint(Path folder) throws IOException {
        Path ofJob = folder.resolve(client.getJobID().toString());
        try (Stream<Path> found = Files.list(ofJob)) {
            return found.filter(checkpoint -> Files.exists(checkpoint.resolve("_metadata")))
                    .max(Comparator.comparingInt(RunningJob::number))
                    .orElseThrow(() -> new IOException("no checkpoint in " + ofJob))
                    .toUri()
                    .toString();
        }
    }

    private static int number(Path checkpoint) {
        return Integer.parseInt(checkpoint.getFileName().toString().replaceAll("^chk-", ""));
    }

    /**
     * How many splits each reader has emitted changes of, since the job was submitted; a split that
     * has changed readers counts for the last.
     */
    public Map<Integer, Long> splitsOfReaders() {
        return ToLine.readerOfSplit().values().stream()
                .collect(Collectors.groupingBy(reader -> reader, Collectors.counting()));
    }

    /** Waits for the end of a bounded job. */
    public void awaitEnd() throws Exception {
        client.getJobExecutionResult().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** Waits for the job's failure, which it returns. */
    public Throwable awaitFailure() throws Exception {
        try {
            client.getJobExecutionResult().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            return e.getCause();
        }
        throw new AssertionError("the job ended without a failure");
    }

    /** As {@link #awaitFailure}, with its causes as Flink would show it. */
    public String awaitFailureText() throws Exception {
        return ExceptionUtils.stringifyException(awaitFailure());
    }

    /** Cancels the job and waits until it has gone. */
    public void cancel() throws Exception {
        client.cancel().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        Await.until("the job to be cancelled", () -> status().isGloballyTerminalState());
    }

    /**
     * Checks what the job has committed against everything that was written. To be called when the
     * job has ended.
     */
    public static void assertExactlyOnce(Path output, TestContainer container) throws Exception {
        assertExactlyOnce(CommittedChanges.in(output), container.writes());
    }

    public static void assertExactlyOnce(CommittedChanges committed, List<Write> writes) {
        assertThat(committed.lost(writes)).as("lost").isEmpty();
        assertThat(committed.duplicated()).as("duplicated").isEmpty();
        assertThat(committed.unknown(writes)).as("emitted but never written").isEmpty();
        assertThat(committed.disordered()).as("out of order").isEmpty();
    }
}
