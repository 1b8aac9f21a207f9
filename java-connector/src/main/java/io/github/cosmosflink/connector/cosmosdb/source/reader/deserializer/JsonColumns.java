// SPDX-License-Identifier: Apache-2.0
package io.github.cosmosflink.connector.cosmosdb.source.reader.deserializer;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.BasicArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.ListTypeInfo;
import org.apache.flink.api.java.typeutils.MapTypeInfo;
import org.apache.flink.api.java.typeutils.ObjectArrayTypeInfo;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.types.RowKind;
import org.apache.flink.types.RowUtils;

/**
 * Turns JSON values into columns of the types that a row can have. JSON's null and a missing value
 * are null.
 */
final class JsonColumns {

    /** Turns one value; {@code path} says where it stands in the document, for errors. */
    interface Converter {
        Object convert(JsonNode node, String path) throws IOException;
    }

    /** A converter of values that are there. */
    private interface Scalar {
        Object convert(JsonNode node);
    }

    private static final Map<TypeInformation<?>, Scalar> SCALARS = new HashMap<>();

    static {
        SCALARS.put(Types.STRING, node -> node.isTextual() ? node.textValue() : node.toString());
        SCALARS.put(Types.BOOLEAN, JsonColumns::bool);
        SCALARS.put(Types.BYTE, node -> number(node).byteValueExact());
        SCALARS.put(Types.SHORT, node -> number(node).shortValueExact());
        SCALARS.put(Types.INT, node -> number(node).intValueExact());
        SCALARS.put(Types.LONG, node -> number(node).longValueExact());
        SCALARS.put(Types.FLOAT, node -> (float) finite(number(node).floatValue()));
        SCALARS.put(Types.DOUBLE, node -> finite(number(node).doubleValue()));
        SCALARS.put(Types.BIG_DEC, JsonColumns::number);
        SCALARS.put(Types.BIG_INT, node -> bigInteger(number(node)));
        SCALARS.put(Types.INSTANT, node -> Instant.parse(text(node)));
        SCALARS.put(Types.LOCAL_DATE, node -> LocalDate.parse(text(node)));
        SCALARS.put(Types.LOCAL_TIME, node -> LocalTime.parse(text(node)));
        SCALARS.put(Types.LOCAL_DATE_TIME, node -> LocalDateTime.parse(text(node)));
        SCALARS.put(
                PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                node -> Base64.getDecoder().decode(text(node)));
    }

    private JsonColumns() {}

    /** For a value that may be missing. */
    private static Converter column(TypeInformation<?> type) {
        Converter present = present(type);
        return (node, path) -> node == null || node.isNull() ? null : present.convert(node, path);
    }

    /** Flink's list serializer takes no null. */
    private static Converter listElement(TypeInformation<?> type) {
        Converter present = present(type);
        return (node, path) -> {
            if (node.isNull()) {
                throw mismatch(node, path, type, null);
            }
            return present.convert(node, path);
        };
    }

    private static Converter present(TypeInformation<?> type) {
        Scalar scalar = SCALARS.get(type);
        if (scalar != null) {
            return (node, path) -> {
                try {
                    return scalar.convert(node);
                } catch (ArithmeticException | DateTimeException | IllegalArgumentException e) {
                    throw mismatch(node, path, type, e);
                }
            };
        }
        if (type instanceof RowTypeInfo) {
            return row((RowTypeInfo) type);
        }
        if (type instanceof ListTypeInfo) {
            return list(type, listElement(((ListTypeInfo<?>) type).getElementTypeInfo()));
        }
        if (type instanceof MapTypeInfo && isText(((MapTypeInfo<?, ?>) type).getKeyTypeInfo())) {
            return map(type, column(((MapTypeInfo<?, ?>) type).getValueTypeInfo()));
        }
        if (type instanceof ObjectArrayTypeInfo) {
            return array(type, ((ObjectArrayTypeInfo<?, ?>) type).getComponentInfo());
        }
        if (type instanceof BasicArrayTypeInfo) {
            return array(type, ((BasicArrayTypeInfo<?, ?>) type).getComponentInfo());
        }
        throw new IllegalArgumentException(
                "a row's column cannot have the type "
                        + type
                        + "; accepted are text, boolean, numbers, bytes (base64), ISO-8601 times,"
                        + " rows, lists, object arrays, and maps from text");
    }

    private static boolean isText(TypeInformation<?> type) {
        return type.equals(Types.STRING);
    }

    /**
     * For a value that must be an object: the document, or a column that is there.
     *
     * @throws IllegalArgumentException when a column cannot have its type; names the type
     */
    static Converter row(RowTypeInfo type) {
        String[] names = type.getFieldNames();
        Converter[] converters = new Converter[names.length];
        LinkedHashMap<String, Integer> positions = new LinkedHashMap<>();
        for (int i = 0; i < names.length; i++) {
            converters[i] = column(type.getTypeAt(i));
            positions.put(names[i], i);
        }
        return (node, path) -> {
            if (!node.isObject()) {
                throw mismatch(node, path, type, null);
            }
            Object[] values = new Object[names.length];
            for (int i = 0; i < names.length; i++) {
                values[i] = converters[i].convert(node.get(names[i]), path + '.' + names[i]);
            }
            // The form that Flink's own serializer makes: columns are found by name and by
            // position.
            return RowUtils.createRowWithNamedPositions(RowKind.INSERT, values, positions);
        };
    }

    private static Converter list(TypeInformation<?> type, Converter element) {
        return (node, path) -> {
            if (!node.isArray()) {
                throw mismatch(node, path, type, null);
            }
            List<Object> values = new ArrayList<>(node.size());
            for (int i = 0; i < node.size(); i++) {
                values.add(element.convert(node.get(i), path + '[' + i + ']'));
            }
            return values;
        };
    }

    private static Converter array(TypeInformation<?> type, TypeInformation<?> component) {
        Converter list = list(type, column(component));
        return (node, path) -> {
            List<?> values = (List<?>) list.convert(node, path);
            return values.toArray(
                    (Object[]) Array.newInstance(component.getTypeClass(), values.size()));
        };
    }

    private static Converter map(TypeInformation<?> type, Converter value) {
        return (node, path) -> {
            if (!node.isObject()) {
                throw mismatch(node, path, type, null);
            }
            Map<String, Object> values = new LinkedHashMap<>();
            for (Iterator<String> names = node.fieldNames(); names.hasNext(); ) {
                String name = names.next();
                values.put(name, value.convert(node.get(name), path + '.' + name));
            }
            return values;
        };
    }

    private static Boolean bool(JsonNode node) {
        if (!node.isBoolean()) {
            throw new IllegalArgumentException("not a boolean");
        }
        return node.booleanValue();
    }

    private static BigDecimal number(JsonNode node) {
        if (!node.isNumber()) {
            throw new IllegalArgumentException("not a number");
        }
        return node.decimalValue();
    }

    /** A number that is too large for its type would be infinite. */
    private static double finite(double number) {
        if (Double.isInfinite(number)) {
            throw new ArithmeticException("too large");
        }
        return number;
    }

    /** Bounded, or a short text like 1e999999999 or 1e-999999999 would take all memory and time. */
    private static BigInteger bigInteger(BigDecimal number) {
        if (Math.abs((long) number.scale()) > 400) {
            throw new ArithmeticException("too many digits");
        }
        return number.toBigIntegerExact();
    }

    private static String text(JsonNode node) {
        if (!node.isTextual()) {
            throw new IllegalArgumentException("not text");
        }
        return node.textValue();
    }

    private static IOException mismatch(
            JsonNode node, String path, TypeInformation<?> type, Exception cause) {
        return new IOException(
                "the value at "
                        + path
                        + " is a JSON "
                        + node.getNodeType().name().toLowerCase(Locale.ROOT)
                        + " that does not fit a column of type "
                        + type,
                cause);
    }
}
