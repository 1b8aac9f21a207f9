// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.cosmosflink.connector.cosmosdb.source.backend.ChangeFeedPage;
import io.github.cosmosflink.connector.cosmosdb.source.backend.SplitSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The two halves of the simulation say the same at the seam. */
class ContractTest {

    private static final Path RECORDED =
            Paths.get("..", "integration-tests", "simulation", "contract");

    static Stream<Path> recorded() throws IOException {
        try (Stream<Path> files = Files.list(RECORDED)) {
            List<Path> found =
                    files.filter(file -> file.toString().endsWith(".jsonl"))
                            .sorted()
                            .collect(Collectors.toList());
            assertThat(found).isNotEmpty();
            return found.stream();
        }
    }

    @ParameterizedTest
    @MethodSource("recorded")
    void whatTheCoreSaysKeepsTheRules(Path file) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        Map<Integer, SeamRules> readers = new HashMap<>();
        int number = 0;
        for (String line : Files.readAllLines(file)) {
            number++;
            JsonNode said = mapper.readTree(line);
            if (said.has("restart")) {
                readers.clear();
                continue;
            }
            SeamRules rules =
                    readers.computeIfAbsent(said.get("reader").asInt(), key -> new SeamRules());
            try {
                replay(said, rules);
            } catch (AssertionError e) {
                throw new AssertionError(file + ", line " + number + ": " + e.getMessage(), e);
            }
        }
    }

    private static void replay(JsonNode said, SeamRules rules) {
        String split = said.path("split").asText();
        switch (said.path("call").asText(said.path("page").asText())) {
            case "addSplits":
                said.get("splits")
                        .forEach(
                                added ->
                                        rules.added(
                                                added.get("split").asText(),
                                                added.get("range").asText()));
                break;
            case "releaseSplits":
                said.get("splits").forEach(asked -> rules.releaseAsked(asked.asText()));
                break;
            case "documents":
                List<List<Long>> groups = new ArrayList<>();
                said.get("groups")
                        .forEach(
                                group -> {
                                    List<Long> lsns = new ArrayList<>();
                                    group.forEach(lsn -> lsns.add(lsn.asLong()));
                                    groups.add(lsns);
                                });
                rules.documents(split, groups, said.get("positions").size());
                break;
            case "rangeSplit":
                List<String> ranges = new ArrayList<>();
                said.get("children").forEach(child -> ranges.add(child.get("range").asText()));
                rules.split(split, ranges);
                break;
            case "rangeFinished":
                rules.finished(split);
                break;
            case "rangeReleased":
                rules.released(split);
                break;
            default:
                throw new AssertionError("neither a call nor a page: " + said);
        }
    }

    @Test
    void theModelSessionKeepsTheSameRules() throws Exception {
        int pages = 0;
        for (int seed = 0; seed < 200; seed++) {
            pages += drive(new Random(seed));
        }
        assertThat(pages).isGreaterThan(1_000);
    }

    /** Writes, splits, releases, adds again and polls as it comes. */
    private static int drive(Random random) throws Exception {
        ModelContainer container = new ModelContainer();
        long end = random.nextInt(3) == 0 ? 10 : Long.MAX_VALUE;
        ModelSession session = new ModelSession(container, random, end);
        SeamRules rules = new SeamRules();
        Map<String, SplitSnapshot> latest = new HashMap<>();
        add(session, rules, latest, session.discover(List.of()));
        int pages = 0;
        for (int step = 0; step < 100; step++) {
            container.write(random, random.nextInt(ModelContainer.KEYS));
            if (random.nextInt(20) == 0) {
                container.split(random.nextInt(ModelContainer.KEYS));
            }
            if (random.nextInt(10) == 0 && !latest.isEmpty()) {
                List<String> ids = new ArrayList<>(latest.keySet());
                String id = ids.get(random.nextInt(ids.size()));
                rules.releaseAsked(id);
                session.releaseSplits(List.of(id));
            }
            ChangeFeedPage page = session.poll(0);
            if (page != null) {
                pages++;
                take(page, session, rules, latest);
            }
        }
        return pages;
    }

    private static void take(
            ChangeFeedPage page,
            ModelSession session,
            SeamRules rules,
            Map<String, SplitSnapshot> latest)
            throws Exception {
        String id = page.splitId();
        switch (page.kind()) {
            case DOCUMENTS:
                List<List<Long>> groups = new ArrayList<>();
                for (int group = 0; group < page.groupCount(); group++) {
                    List<Long> lsns = new ArrayList<>();
                    for (int i = page.groupStart(group); i < page.groupStart(group + 1); i++) {
                        lsns.add(page.lsn(i));
                    }
                    groups.add(lsns);
                }
                rules.documents(id, groups, page.groupCount());
                byte[] position = page.positionAfter(page.groupCount() - 1);
                latest.put(id, new SplitSnapshot(id, latest.get(id).feedRange(), position));
                break;
            case RANGE_SPLIT:
                latest.remove(id);
                rules.split(
                        id,
                        page.children().stream()
                                .map(SplitSnapshot::feedRange)
                                .collect(Collectors.toList()));
                add(session, rules, latest, page.children());
                break;
            case RANGE_FINISHED:
                latest.remove(id);
                rules.finished(id);
                break;
            case RANGE_RELEASED:
                rules.released(id);
                add(session, rules, latest, List.of(latest.get(id)));
                break;
        }
    }

    private static void add(
            ModelSession session,
            SeamRules rules,
            Map<String, SplitSnapshot> latest,
            List<SplitSnapshot> splits) {
        for (SplitSnapshot split : splits) {
            rules.added(split.splitId(), split.feedRange());
            latest.put(split.splitId(), split);
        }
        session.addSplits(splits);
    }

    @Test
    void whatBreaksTheRulesIsRefused() {
        SeamRules rules = new SeamRules();
        rules.added("a", "[,FF)");
        assertThatThrownBy(() -> rules.added("a", "[,FF)")).hasMessageContaining("added once");
        assertThatThrownBy(() -> rules.documents("b", List.of(List.of(1L)), 1))
                .hasMessageContaining("that are read");
        assertThatThrownBy(() -> rules.documents("a", List.of(List.of(1L, 2L)), 1))
                .hasMessageContaining("one LSN");
        assertThatThrownBy(() -> rules.documents("a", List.of(List.of(2L), List.of(1L)), 2))
                .hasMessageContaining("rise");
        SeamRules hole = new SeamRules();
        hole.added("a", "[,FF)");
        assertThatThrownBy(() -> hole.split("a", List.of("[,7F)", "[8F,FF)")))
                .hasMessageContaining("cover");
        assertThatThrownBy(() -> rules.released("a")).hasMessageContaining("asked for");
        assertThatThrownBy(() -> rules.finished("a")).hasMessageContaining("ends once");
    }
}
