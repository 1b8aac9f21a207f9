// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.simulation;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.config.Configurator;

/**
 * Runs schedules against the shipped coordination and reader classes.
 *
 * <p>{@code Simulate --schedules N --seed S [--json FILE] [--first-failure]}: schedules of the
 * seeds S, S+1, …; prints the first failure, writes one JSON line with {@code schedules}, {@code
 * failures}, {@code moved} and {@code firstFailure} (a seed, or null); exits with 1 when one
 * failed. With {@code --first-failure} it stops there.
 */
public final class Simulate {

    /** What some schedules came to. */
    static final class Result {

        long schedules;
        long failures;
        long moved;
        Long firstFailure;
        String account = "";

        String toJson() {
            return String.format(
                    "{\"schedules\":%d,\"failures\":%d,\"moved\":%d,\"firstFailure\":%s}",
                    schedules, failures, moved, firstFailure);
        }
    }

    private Simulate() {}

    static Result run(long seed, long schedules, boolean stopAtFailure) {
        Result result = new Result();
        for (long next = seed; next < seed + schedules; next++) {
            result.schedules++;
            try {
                result.moved += new Schedule(next).run();
            } catch (Exception | AssertionError e) {
                result.failures++;
                if (result.firstFailure == null) {
                    result.firstFailure = next;
                    StringWriter account = new StringWriter();
                    e.printStackTrace(new PrintWriter(account));
                    result.account = account.toString();
                }
                if (stopAtFailure) {
                    break;
                }
            }
        }
        return result;
    }

    public static void main(String[] arguments) throws Exception {
        long schedules = 0;
        long seed = 0;
        Path json = null;
        boolean stopAtFailure = false;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--schedules":
                    schedules = Long.parseLong(arguments[++i]);
                    break;
                case "--seed":
                    seed = Long.parseLong(arguments[++i]);
                    break;
                case "--json":
                    json = Paths.get(arguments[++i]);
                    break;
                case "--first-failure":
                    stopAtFailure = true;
                    break;
                default:
                    throw new IllegalArgumentException("unknown argument " + arguments[i]);
            }
        }
        Configurator.setRootLevel(Level.OFF);
        Result result = run(seed, schedules, stopAtFailure);
        if (result.failures > 0) {
            System.out.println("seed " + result.firstFailure + ": " + result.account);
        }
        System.out.println(result.toJson());
        if (json != null) {
            Files.writeString(json, result.toJson() + System.lineSeparator());
        }
        System.exit(result.failures == 0 ? 0 : 1);
    }
}
