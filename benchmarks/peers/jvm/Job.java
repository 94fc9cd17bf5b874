import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Collection;
import java.util.StringJoiner;

/** What both jobs share: how an event is read, and how the answer is printed. */
final class Job {
    static final long MINUTE = 60_000;
    /** Events are waited for this long, ms. */
    static final long GRACE = 2 * MINUTE;

    private static final JsonFactory JSON = new JsonFactory();
    private static String day = "";
    private static long dayMillis;

    private Job() {}

    /** An event: when it happened (ms since the epoch), its auth method, and who failed; null if nobody did. */
    static final class Event {
        public long at;
        public String method;
        public String person;

        public Event() {}
    }

    /** The counts of a minute and method. */
    static final class Window {
        public long at;
        public String method;
        public long events;
        public long people;

        public Window() {}

        Window(long at, String method, long events, long people) {
            this.at = at;
            this.method = method;
            this.events = events;
            this.people = people;
        }

        @Override
        public String toString() {
            return "[" + at + ", \"" + method + "\", " + events + ", " + people + "]";
        }
    }

    /** Read the four fields that the job needs; a streaming parser builds no tree. */
    static Event read(byte[] value) throws IOException {
        Event event = new Event();
        boolean failed = false;
        String person = null;
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "occurred_at" -> event.at = millis(parser.getText());
                    case "auth_method" -> event.method = parser.getText();
                    case "outcome" -> failed = parser.getText().equals("failure");
                    case "user_hash" -> person = parser.getText();
                    default -> {
                        if (token.isStructStart()) {
                            parser.skipChildren();
                        }
                    }
                }
            }
        }
        event.person = failed ? person : null;
        return event;
    }

    /** Return an instant in ms; only the day is parsed by the library, once for each day. */
    private static synchronized long millis(String text) {
        if (text.length() != 24 || text.charAt(23) != 'Z') {
            return text.endsWith("Z") ? Instant.parse(text).toEpochMilli() : OffsetDateTime.parse(text).toInstant().toEpochMilli();
        }
        if (!text.startsWith(day) || day.isEmpty()) {
            day = text.substring(0, 10);
            dayMillis = LocalDate.parse(day).atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
        }
        return dayMillis
                + ((two(text, 11) * 60L + two(text, 14)) * 60 + two(text, 17)) * 1000
                + two(text, 20) * 10L + (text.charAt(22) - '0');
    }

    private static int two(String text, int at) {
        return (text.charAt(at) - '0') * 10 + text.charAt(at + 1) - '0';
    }

    /** Print the answer in the form that the benchmark reads. */
    static void tell(double seconds, Collection<Window> windows) {
        StringJoiner joined = new StringJoiner(", ", "[", "]");
        windows.stream()
                .sorted((a, b) -> a.at != b.at ? Long.compare(a.at, b.at) : a.method.compareTo(b.method))
                .forEach(window -> joined.add(window.toString()));
        System.out.println("{\"seconds\": " + seconds + ", \"windows\": " + joined + "}");
        System.out.flush();
    }
}
