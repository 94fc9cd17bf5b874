import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * How does Kafka Streams do the job? {@code WithKafkaStreams BROKER TOPIC EVENTS} prints the answer as JSON.
 *
 * <p>Counts and the people who failed are in stores in memory with a cache and a changelog topic, written by a processor
 * of its own, which is quicker than a windowed aggregation that holds a set. The job is done twice in one process; the
 * second time counts, when the code has been compiled.
 */
public final class WithKafkaStreams {
    private static final char BETWEEN = '|';

    private WithKafkaStreams() {}

    /** Counts the events of a partition; closes the minutes whose time is over. */
    private static final class Counting implements Processor<byte[], byte[], String, String> {
        private final Run run;
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, Long> events;
        private KeyValueStore<String, Long> failing;
        private KeyValueStore<String, byte[]> people;
        private long minute = Long.MIN_VALUE;

        Counting(Run run) {
            this.run = run;
        }

        @Override
        public void init(ProcessorContext<String, String> given) {
            context = given;
            events = given.getStateStore("events");
            failing = given.getStateStore("failing");
            people = given.getStateStore("people");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            if (run.began == 0) {
                run.began = System.nanoTime();
            }
            Job.Event event;
            try {
                event = Job.read(record.value());
            } catch (java.io.IOException error) {
                throw new IllegalStateException(error);
            }
            long at = event.at - event.at % Job.MINUTE;
            String key = at + String.valueOf(BETWEEN) + event.method;
            Long before = events.get(key);
            events.put(key, before == null ? 1L : before + 1);
            if (event.person != null && people.putIfAbsent(key + BETWEEN + event.person, new byte[0]) == null) {
                Long known = failing.get(key);
                failing.put(key, known == null ? 1L : known + 1);
            }
            if (at > minute) {
                minute = at;
                close(at - Job.GRACE - Job.MINUTE);
            }
            run.seen++;
            if (run.seen == run.wanted) {
                run.done.countDown();
            }
        }

        /** Tell and forget all minutes up to the one that begins at an instant. */
        private void close(long last) {
            List<KeyValue<String, Long>> over = new ArrayList<>();
            try (KeyValueIterator<String, Long> all = events.all()) {
                while (all.hasNext()) {
                    KeyValue<String, Long> one = all.next();
                    if (Long.parseLong(one.key.substring(0, one.key.indexOf(BETWEEN))) <= last) {
                        over.add(one);
                    }
                }
            }
            for (KeyValue<String, Long> one : over) {
                int cut = one.key.indexOf(BETWEEN);
                Long known = failing.get(one.key);
                Job.Window window =
                        new Job.Window(Long.parseLong(one.key.substring(0, cut)), one.key.substring(cut + 1), one.value, known == null ? 0 : known);
                run.windows.add(window);
                context.forward(new Record<>(one.key, window.toString(), window.at));
                events.delete(one.key);
                failing.delete(one.key);
                List<String> gone = new ArrayList<>();
                try (KeyValueIterator<String, byte[]> some = people.range(one.key + BETWEEN, one.key + (char) (BETWEEN + 1))) {
                    some.forEachRemaining(entry -> gone.add(entry.key));
                }
                gone.forEach(people::delete);
            }
        }
    }

    /** What one run knows. */
    private static final class Run {
        final long wanted;
        final CountDownLatch done = new CountDownLatch(1);
        final List<Job.Window> windows = new ArrayList<>();
        volatile long began;
        long seen;

        Run(long wanted) {
            this.wanted = wanted;
        }
    }

    public static void main(String[] arguments) throws Exception {
        String broker = arguments[0];
        long wanted = Long.parseLong(arguments[2]);
        run(broker, arguments[1], wanted);
        Run counted = run(broker, arguments[1], wanted);
        Job.tell((System.nanoTime() - counted.began) / 1e9, counted.windows);
        System.exit(0);
    }

    private static Run run(String broker, String topic, long wanted) throws Exception {
        String id = "streams-" + UUID.randomUUID();
        String answers = id + "-answers";
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
            admin.createTopics(List.of(new NewTopic(answers, 1, (short) 1))).all().get();
        }
        Run run = new Run(wanted);
        Topology topology = new Topology();
        topology.addSource("source", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), topic);
        topology.addProcessor("counting", () -> new Counting(run), "source");
        topology.addStateStore(counters("events"), "counting");
        topology.addStateStore(counters("failing"), "counting");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("people"), Serdes.String(), Serdes.ByteArray())
                        .withCachingEnabled(),
                "counting");
        topology.addSink("sink", answers, Serdes.String().serializer(), Serdes.String().serializer(), "counting");
        KafkaStreams streams = new KafkaStreams(topology, settings(broker, id));
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    System.exit(1);
                    return null;
                });
        streams.start();
        run.done.await();
        streams.close(Duration.ofSeconds(30)); // flushes and commits
        return run;
    }

    private static org.apache.kafka.streams.state.StoreBuilder<KeyValueStore<String, Long>> counters(String name) {
        return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), Serdes.Long())
                .withCachingEnabled();
    }

    private static Properties settings(String broker, String id) {
        Properties given = new Properties();
        given.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
        given.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        given.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        given.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        given.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        given.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 5000);
        given.put(StreamsConfig.POLL_MS_CONFIG, 5);
        given.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("java.io.tmpdir") + "/" + id);
        given.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        given.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 20_000);
        given.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 16 << 20);
        given.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 6000);
        given.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        given.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1 << 20);
        given.put(StreamsConfig.producerPrefix(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG), false);
        given.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "1");
        return given;
    }
}
