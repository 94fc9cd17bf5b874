import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.TopicPartition;

/**
 * How does Flink do the job? {@code WithFlink BROKER TOPIC EVENTS} prints the answer as JSON.
 *
 * <p>A tumbling window by event time counts and collects the people who failed, in state on the heap, with a checkpoint
 * into a folder every five seconds; objects are reused. The job is done twice in one process; the second time counts, when
 * the code has been compiled.
 */
public final class WithFlink {
    private static volatile long began;
    private static final Queue<Job.Window> WINDOWS = new ConcurrentLinkedQueue<>();

    private WithFlink() {}

    /** Decodes an event. */
    public static final class Decoding extends AbstractDeserializationSchema<Job.Event> {
        public Decoding() {
            super(Job.Event.class);
        }

        @Override
        public Job.Event deserialize(byte[] value) throws IOException {
            if (began == 0) {
                began = System.nanoTime();
            }
            return Job.read(value);
        }
    }

    /** How many events, and who failed. */
    public static final class Counted {
        public long events;
        public HashSet<String> people = new HashSet<>();
    }

    /** Counts the events of a window. */
    public static final class Counting implements AggregateFunction<Job.Event, Counted, Counted> {
        @Override
        public Counted createAccumulator() {
            return new Counted();
        }

        @Override
        public Counted add(Job.Event event, Counted so) {
            so.events++;
            if (event.person != null) {
                so.people.add(event.person);
            }
            return so;
        }

        @Override
        public Counted getResult(Counted so) {
            return so;
        }

        @Override
        public Counted merge(Counted one, Counted other) {
            one.events += other.events;
            one.people.addAll(other.people);
            return one;
        }
    }

    /** Tells of a window that is over. */
    public static final class Telling extends ProcessWindowFunction<Counted, String, String, TimeWindow> {
        @Override
        public void process(String method, Context context, Iterable<Counted> results, Collector<String> out) {
            for (Counted one : results) {
                Job.Window window = new Job.Window(context.window().getStart(), method, one.events, one.people.size());
                WINDOWS.add(window);
                out.collect(window.toString());
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        long wanted = Long.parseLong(arguments[2]);
        run(arguments[0], arguments[1], wanted);
        began = 0;
        WINDOWS.clear();
        double seconds = run(arguments[0], arguments[1], wanted);
        long events = WINDOWS.stream().mapToLong(window -> window.events).sum();
        if (events != wanted) {
            System.err.println(events + " events instead of " + arguments[2]);
            System.exit(1);
        }
        Job.tell(seconds, WINDOWS);
        System.exit(0);
    }

    /** Do the job; return the seconds from the first event until the last checkpoint is whole. */
    private static double run(String broker, String topic, long wanted) throws Exception {
        String answers = "flink-" + UUID.randomUUID();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
            admin.createTopics(List.of(new NewTopic(answers, 1, (short) 1))).all().get();
        }
        Configuration settings = new Configuration();
        settings.set(PipelineOptions.OBJECT_REUSE, true);
        settings.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Files.createTempDirectory("flink").toUri().toString());
        StreamExecutionEnvironment flow = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        flow.enableCheckpointing(5000);
        KafkaSource<Job.Event> source =
                KafkaSource.<Job.Event>builder()
                        .setBootstrapServers(broker)
                        .setTopics(topic)
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setBounded(OffsetsInitializer.offsets(Map.of(new TopicPartition(topic, 0), wanted)))
                        .setProperty("max.poll.records", "20000")
                        .setProperty("max.partition.fetch.bytes", String.valueOf(16 << 20))
                        .setValueOnlyDeserializer(new Decoding())
                        .build();
        KafkaSink<String> sink =
                KafkaSink.<String>builder()
                        .setBootstrapServers(broker)
                        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                        .setProperty("enable.idempotence", "false")
                        .setRecordSerializer(
                                KafkaRecordSerializationSchema.<String>builder()
                                        .setTopic(answers)
                                        .setValueSerializationSchema(new SimpleStringSchema(StandardCharsets.UTF_8))
                                        .build())
                        .build();
        flow.fromSource(
                        source,
                        WatermarkStrategy.<Job.Event>forBoundedOutOfOrderness(Duration.ofMillis(Job.GRACE))
                                .withTimestampAssigner((event, at) -> event.at),
                        "events")
                .keyBy(event -> event.method)
                .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
                .aggregate(new Counting(), new Telling())
                .sinkTo(sink);
        flow.executeAsync("job").getJobExecutionResult().get();
        return (System.nanoTime() - began) / 1e9;
    }
}
