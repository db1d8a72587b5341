import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.state.Stores;

/**
 * The filter and the closest join of Kafka Streams, exactly_once_v2, as fast as we know to write them.
 *
 * <p>Bytes in, bytes out: the one number is read from the JSON text without building objects, nothing is
 * logged. It works until its standard input is closed, and then prints the processor time of the whole
 * process, compiler and garbage collector included, before and after its first record.
 */
public final class StreamsPeer {
    private static final byte[] RESULT = "\"result\":".getBytes(StandardCharsets.UTF_8);
    private static final byte[] TIME = "\"phenomenonTime\":\"".getBytes(StandardCharsets.UTF_8);
    private static final AtomicLong FIRST_RECORD_CPU = new AtomicLong(-1);

    private StreamsPeer() {}

    public static void main(final String[] arguments) throws Exception {
        final Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[1]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        settings.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5_000);
        settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4_194_304);
        settings.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6_000);
        settings.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 1_000);
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        settings.put(ProducerConfig.BATCH_SIZE_CONFIG, 262_144);
        settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 134_217_728L);
        settings.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 10_000);

        final StreamsBuilder builder = new StreamsBuilder();
        if (arguments[0].equals("filter")) {
            filter(builder, arguments[5], arguments[6], Double.parseDouble(arguments[7]));
        } else {
            join(builder, arguments[5], arguments[6], Long.parseLong(arguments[7]));
        }
        final KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                Runtime.getRuntime().halt(1);
            }
        });
        streams.start();
        while (System.in.read() >= 0) {
            continue;
        }
        streams.close(Duration.ofSeconds(30));
        final double used = cpuSeconds();
        final double before = FIRST_RECORD_CPU.get() < 0 ? used : FIRST_RECORD_CPU.get() / 1e9;
        System.out.printf("{\"cpu_s\": %.3f, \"start_cpu_s\": %.3f}%n", used - before, before);
    }

    private static void filter(
            final StreamsBuilder builder, final String source, final String target, final double limit) {
        builder.stream(source, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .filter((key, value) -> {
                    noteFirst();
                    return number(value) < limit;
                })
                .to(target, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    }

    /** Every pair of equal keys within the window: not the nearest neighbours. */
    private static void join(
            final StreamsBuilder builder, final String sources, final String target, final long withinMs) {
        final KStream<String, byte[]> all =
                builder.stream(List.of(sources.split(",")), Consumed.with(Serdes.String(), Serdes.ByteArray())
                        .withTimestampExtractor(StreamsPeer::eventTime));
        final KStream<String, byte[]> left = all.filter((key, value) -> {
            noteFirst();
            return key.endsWith(".Speed");
        }).selectKey((key, value) -> key.substring(0, key.lastIndexOf('.')));
        final KStream<String, byte[]> right = all.filter((key, value) -> key.endsWith(".Torque"))
                .selectKey((key, value) -> key.substring(0, key.lastIndexOf('.')));
        final JoinWindows windows = JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofMillis(withinMs));
        final Duration kept = Duration.ofMillis(windows.size() + windows.gracePeriodMs());
        left.join(
                        right,
                        (one, two) -> ("{\"result\":" + number(one) * number(two) + "}")
                                .getBytes(StandardCharsets.UTF_8),
                        windows,
                        StreamJoined.<String, byte[], byte[]>with(
                                        Stores.inMemoryWindowStore(
                                                "l", kept, Duration.ofMillis(windows.size()), true),
                                        Stores.inMemoryWindowStore(
                                                "r", kept, Duration.ofMillis(windows.size()), true))
                                .withKeySerde(Serdes.String())
                                .withValueSerde(Serdes.ByteArray())
                                .withOtherValueSerde(Serdes.ByteArray()))
                .to(target, Produced.with(Serdes.String(), Serdes.ByteArray()));
    }

    private static double number(final byte[] value) {
        final int start = find(value, RESULT);
        int end = start;
        while (value[end] != ',' && value[end] != '}') {
            end++;
        }
        return Double.parseDouble(new String(value, start, end - start, StandardCharsets.ISO_8859_1));
    }

    /** Event time, as our join takes it; Kafka Streams knows milliseconds. */
    private static long eventTime(final ConsumerRecord<Object, Object> record, final long before) {
        if (!(record.value() instanceof byte[] value) || record.topic().endsWith("-repartition")) {
            return record.timestamp();
        }
        final int start = find(value, TIME);
        int end = start;
        while (value[end] != '"') {
            end++;
        }
        return Instant.parse(new String(value, start, end - start, StandardCharsets.ISO_8859_1)).toEpochMilli();
    }

    /** Returns where the text ends that is searched for. */
    private static int find(final byte[] value, final byte[] text) {
        search:
        for (int at = 0; at <= value.length - text.length; at++) {
            for (int i = 0; i < text.length; i++) {
                if (value[at + i] != text[i]) {
                    continue search;
                }
            }
            return at + text.length;
        }
        throw new IllegalArgumentException("a record without the field");
    }

    private static void noteFirst() {
        if (FIRST_RECORD_CPU.get() < 0) {
            FIRST_RECORD_CPU.compareAndSet(-1, (long) (cpuSeconds() * 1e9));
        }
    }

    private static double cpuSeconds() {
        final var system =
                (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }
}
