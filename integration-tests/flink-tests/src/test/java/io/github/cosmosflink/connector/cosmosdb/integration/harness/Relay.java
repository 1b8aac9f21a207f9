// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.integration.harness;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A port in front of the account that can be taken down and up again, as when a server restarts:
 * connections break, new ones are refused.
 */
public final class Relay implements AutoCloseable {

    private final InetSocketAddress target;
    private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
    private ServerSocket listening;
    private int port;

    private Relay(InetSocketAddress target) {
        this.target = target;
    }

    public static Relay to(TestAccount account) throws IOException {
        URI endpoint = account.local().endpoint();
        Relay relay = new Relay(new InetSocketAddress(endpoint.getHost(), endpoint.getPort()));
        relay.up();
        return relay;
    }

    public String endpoint() {
        return "http://127.0.0.1:" + port + "/";
    }

    /** Listens, on the same port as before. */
    public void up() throws IOException {
        ServerSocket socket = new ServerSocket();
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        listening = socket;
        port = socket.getLocalPort();
        start(() -> accept(socket));
    }

    /** Breaks the connections and refuses others. */
    public void down() throws IOException {
        listening.close();
        for (Socket socket : connections) {
            socket.close();
        }
        connections.clear();
    }

    @Override
    public void close() throws IOException {
        down();
    }

    private void accept(ServerSocket socket) {
        try {
            while (true) {
                Socket client = socket.accept();
                Socket server = new Socket(target.getAddress(), target.getPort());
                connections.add(client);
                connections.add(server);
                start(() -> pump(client, server));
                start(() -> pump(server, client));
                if (socket.isClosed()) {
                    down();
                }
            }
        } catch (IOException e) {
            if (!socket.isClosed()) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static void pump(Socket from, Socket to) {
        try (Closeable in = from;
                Closeable out = to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException e) {
            // One side has gone: so does the other.
        }
    }

    private static void start(Runnable runnable) {
        Thread thread = new Thread(runnable, "relay");
        thread.setDaemon(true);
        thread.start();
    }
}
