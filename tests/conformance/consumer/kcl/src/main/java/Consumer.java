// SPDX-License-Identifier: GPL-3.0-or-later
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
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
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/** Prints what each shard delivers, one line a record, and checkpoints after a batch, unless it has done so lately. */
public final class Consumer implements ShardRecordProcessor {
    private static final long PAUSE = Long.getLong("checkpoint.seconds") * 1_000_000_000L;
    private String shard;
    private long checkpointed = System.nanoTime();

    // stream, application, worker, Kinesis's URL, DynamoDB's URL
    public static void main(String[] arguments) {
        var kinesis = client(KinesisAsyncClient.builder(), arguments[3]);
        var start = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var configs = new ConfigsBuilder(
            new SingleStreamTracker(arguments[0], start), arguments[1], kinesis,
            client(DynamoDbAsyncClient.builder(), arguments[4]), client(CloudWatchAsyncClient.builder(), arguments[4]),
            arguments[2], Consumer::new);
        var leases = configs.leaseManagementConfig()
            .failoverTimeMillis(2_000)
            .shardSyncIntervalMillis(1_000)
            .leasesRecoveryAuditorExecutionFrequencyMillis(2_000);
        var coordinator = configs.coordinatorConfig()
            .parentShardPollIntervalMillis(300)
            .shardConsumerDispatchPollIntervalMillis(100)
            .schedulerInitializationBackoffTimeMillis(200);
        var polling = new PollingConfig(arguments[0], kinesis);
        polling.idleTimeBetweenReadsInMillis(200);
        var scheduler = new Scheduler(configs.checkpointConfig(), coordinator, leases,
            configs.lifecycleConfig().taskBackoffTimeMillis(300),
            configs.metricsConfig().metricsFactory(new NullMetricsFactory()), configs.processorConfig(),
            configs.retrievalConfig().retrievalSpecificConfig(polling));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                scheduler.startGracefulShutdown().get(15, TimeUnit.SECONDS);
            } catch (Exception error) {
                System.err.println("no graceful shutdown: " + error);
            }
        }));
        scheduler.run();
    }

    private static <B extends AwsClientBuilder<B, C> & AwsAsyncClientBuilder<B, C>, C> C client(B builder, String url) {
        return builder.region(Region.US_EAST_1).endpointOverride(URI.create(url))
            .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1)).build();
    }

    private static void checkpoint(RecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint();
        } catch (KinesisClientLibException | RuntimeException error) {
            System.err.println("no checkpoint: " + error);
        }
    }

    @Override
    public void initialize(InitializationInput input) {
        shard = input.shardId();
        System.out.println(shard + " taken");
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
        input.records().forEach(found ->
            System.out.println(shard + " " + StandardCharsets.UTF_8.decode(found.data().duplicate())));
        if (System.nanoTime() - checkpointed >= PAUSE) {
            checkpoint(input.checkpointer());
            checkpointed = System.nanoTime();
        }
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
        checkpoint(input.checkpointer());
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
        System.err.println("lost " + shard);
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
        checkpoint(input.checkpointer());
    }
}
