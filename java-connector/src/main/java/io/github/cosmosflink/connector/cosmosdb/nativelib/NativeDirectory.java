// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.nativelib;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A directory that only this user may enter, for code that this user's processes map. All class
 * loaders and processes of the user share it without a lock: files come by rename, and what is
 * there is compared before it is used.
 */
final class NativeDirectory {

    private static final Logger LOG = LoggerFactory.getLogger(NativeDirectory.class);

    private static final Set<PosixFilePermission> OWNER_ONLY =
            PosixFilePermissions.fromString("rwx------");
    private static final int HASH_CHARACTERS = 32;
    private static final int COMPARED_AT_ONCE = 64 * 1024;

    private final Path path;

    private NativeDirectory(Path path) {
        this.path = path;
    }

    /**
     * Finds or makes the user's directory.
     *
     * @throws IOException when it cannot be made, or is there and somebody else may have written
     *     into it
     */
    static NativeDirectory under(Path parent) throws IOException {
        Path real = parent.toRealPath();
        Path probe = Files.createTempFile(real, "cosmosdb-flink-", ".probe");
        Path path;
        UserPrincipal user;
        try {
            // The number and not user.name, which is "?" for a user that has no entry in passwd, as
            // in many containers.
            path = real.resolve("cosmosdb-flink-" + Files.getAttribute(probe, "unix:uid"));
            user = Files.getOwner(probe);
        } finally {
            Files.delete(probe);
        }
        try {
            Files.createDirectory(path, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        } catch (FileAlreadyExistsException e) {
            LOG.debug("{} is there already", path);
        }
        PosixFileAttributes found =
                Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!found.isDirectory()
                || !found.owner().equals(user)
                || !found.permissions().equals(OWNER_ONLY)) {
            throw new IOException(
                    String.format(
                            "%s is not to be trusted with native code: expected a directory of %s"
                                    + " with permissions rwx------, found a %s of %s with %s",
                            path,
                            user.getName(),
                            found.isDirectory()
                                    ? "directory"
                                    : found.isSymbolicLink() ? "symbolic link" : "file",
                            found.owner().getName(),
                            PosixFilePermissions.toString(found.permissions())));
        }
        return new NativeDirectory(path);
    }

    /**
     * A file with this content, there to stay. The same content has the same path in every process
     * of the user: the dynamic linker knows by the path what it has mapped already, even where the
     * file was deleted meanwhile.
     *
     * @param version put into the name, for people
     */
    Path keep(String name, String version, byte[] content) throws IOException {
        int dot = name.lastIndexOf('.');
        Path file =
                path.resolve(
                        String.format(
                                "%s-%s-%s%s",
                                name.substring(0, dot),
                                version,
                                hash(content),
                                name.substring(dot)));
        try {
            if (holds(file, content)) {
                return file;
            }
            LOG.warn("{} does not hold what its name says and is replaced", file);
        } catch (NoSuchFileException e) {
            LOG.debug("{} is not there yet", file);
        }
        Path written = temporary(name, content);
        try {
            Files.move(
                    written,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(written);
            throw e;
        }
        return file;
    }

    /** A new file with this content, which the caller deletes. */
    Path temporary(String name, byte[] content) throws IOException {
        Path file =
                Files.createTempFile(
                        path, name + "-", ".tmp", PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        try {
            Files.write(file, content);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(file);
            throw e;
        }
        return file;
    }

    /**
     * Compares piece by piece: the JDK reads a large array through a native buffer of the same
     * size, which the C library then keeps for each thread that ever did it.
     */
    private static boolean holds(Path file, byte[] content) throws IOException {
        byte[] piece = new byte[COMPARED_AT_ONCE];
        try (InputStream in = Files.newInputStream(file)) {
            int compared = 0;
            for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                int end = compared + read;
                if (end > content.length
                        || !Arrays.equals(piece, 0, read, content, compared, end)) {
                    return false;
                }
                compared = end;
            }
            return compared == content.length;
        }
    }

    private static String hash(byte[] content) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
            StringBuilder text = new StringBuilder(2 * digest.length);
            for (byte b : digest) {
                text.append(String.format("%02x", b));
            }
            return text.substring(0, HASH_CHARACTERS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
