// SPDX-License-Identifier: GPL-3.0-or-later
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.SynchronousQueue;
import software.amazon.awssdk.awscore.client.builder.AwsAsyncClientBuilder;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.KinesisClientLibException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/** Writes each batch of a stream's records as a line of JSON; a line on standard input says that the batch is safe. */
public final class KinesisRecords implements ShardRecordProcessor {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final SynchronousQueue<String> ACKNOWLEDGED = new SynchronousQueue<>();
    private static final long CHECKPOINT_INTERVAL = Long.getLong("checkpoint_interval_seconds");
    private Instant nextCheckpoint = Instant.MIN;

    public static void main(String[] arguments) throws Exception {
        String stream = System.getProperty("kinesis_stream_name");
        var position = InitialPositionInStream.valueOf(System.getProperty("initial_position_in_stream"));
        var kinesis = client(KinesisAsyncClient.builder(), System.getProperty("kinesis_endpoint"));
        var configs = new ConfigsBuilder(
            new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(position)),
            System.getProperty("application_name"), kinesis,
            client(DynamoDbAsyncClient.builder(), System.getProperty("dynamo_db_endpoint")),
            client(CloudWatchAsyncClient.builder(), null),
            System.getProperty("worker_id"), KinesisRecords::new);
        var leases = configs.leaseManagementConfig()
            .failoverTimeMillis(Long.getLong("failover_time_millis", 10_000))
            .shardSyncIntervalMillis(3_000); // also how long a new lease table's first leases wait
        // Of 10,000, as it would ask for, the answers to two shards do not fit into this small process.
        var polling = new PollingConfig(stream, kinesis).maxRecords(2_000);
        polling.idleTimeBetweenReadsInMillis(Long.getLong("idle_time_between_reads_in_millis", 1_000));
        var coordinator = configs.coordinatorConfig().shardConsumerDispatchPollIntervalMillis(100);
        var scheduler = new Scheduler(configs.checkpointConfig(), coordinator, leases,
            configs.lifecycleConfig(), configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
            configs.processorConfig(), configs.retrievalConfig().retrievalSpecificConfig(polling));
        new Thread(() -> {
            try {
                scheduler.run();
            } finally {
                Runtime.getRuntime().halt(1);
            }
        }).start();
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            ACKNOWLEDGED.put(line);
        }
        // Without its reader this process has no work; what was not checkpointed is read again, as after any stop.
        Runtime.getRuntime().halt(0);
    }

    private static <B extends AwsClientBuilder<B, C> & AwsAsyncClientBuilder<B, C>, C> C client(B builder, String endpoint) {
        builder.region(Region.of(System.getProperty("region")))
            .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1));
        if (endpoint != null) {
            builder.endpointOverride(URI.create(endpoint));
        }
        return builder.build();
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
        List<Map<String, Object>> batch = input.records().stream().map(KinesisRecords::fields).toList();
        try {
            synchronized (ACKNOWLEDGED) {
                System.out.println(JSON.writeValueAsString(batch));
                ACKNOWLEDGED.take();
            }
        } catch (Exception error) {
            // KCL would go on with the next batch, and its checkpoint would cover the one that nobody took.
            Runtime.getRuntime().halt(1);
        }
        if (Instant.now().isAfter(nextCheckpoint)) {
            checkpoint(input.checkpointer());
            nextCheckpoint = Instant.now().plusSeconds(CHECKPOINT_INTERVAL);
        }
    }

    private static Map<String, Object> fields(KinesisClientRecord input) {
        byte[] data = new byte[input.data().remaining()];
        input.data().get(data);
        return Map.of("data", data, "partition_key", input.partitionKey(), "sequence_number", input.sequenceNumber(),
            "approximate_arrival_timestamp", input.approximateArrivalTimestamp().toEpochMilli());
    }

    private static void checkpoint(RecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint();
        } catch (KinesisClientLibException | RuntimeException error) {
            System.err.println("Kinesis worker failed checkpointing: " + error);
        }
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
        checkpoint(input.checkpointer());
    }

    @Override
    public void initialize(InitializationInput input) {}

    @Override
    public void leaseLost(LeaseLostInput input) {}

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {}
}
