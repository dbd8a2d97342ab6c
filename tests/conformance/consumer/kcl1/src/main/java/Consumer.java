// SPDX-License-Identifier: GPL-3.0-or-later
import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.services.kinesis.clientlibrary.exceptions.KinesisClientLibException;
import com.amazonaws.services.kinesis.clientlibrary.interfaces.IRecordProcessorCheckpointer;
import com.amazonaws.services.kinesis.clientlibrary.interfaces.v2.IRecordProcessor;
import com.amazonaws.services.kinesis.clientlibrary.interfaces.v2.IShutdownNotificationAware;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.InitialPositionInStream;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.KinesisClientLibConfiguration;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.ShutdownReason;
import com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker;
import com.amazonaws.services.kinesis.clientlibrary.types.InitializationInput;
import com.amazonaws.services.kinesis.clientlibrary.types.ProcessRecordsInput;
import com.amazonaws.services.kinesis.clientlibrary.types.ShutdownInput;
import com.amazonaws.services.kinesis.metrics.impl.NullMetricsFactory;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** Prints what each shard delivers, one line a record, and checkpoints after a batch, unless it has done so lately. */
public final class Consumer implements IRecordProcessor, IShutdownNotificationAware {
    private static final long PAUSE = Long.getLong("checkpoint.seconds") * 1_000_000_000L;
    private String shard;
    private long checkpointed = System.nanoTime();

    // stream, application, worker, Kinesis's URL, DynamoDB's URL
    public static void main(String[] arguments) {
        var config = new KinesisClientLibConfiguration(
            arguments[1], arguments[0], DefaultAWSCredentialsProviderChain.getInstance(), arguments[2])
            .withRegionName("us-east-1")
            .withKinesisEndpoint(arguments[3])
            .withDynamoDBEndpoint(arguments[4])
            .withInitialPositionInStream(InitialPositionInStream.TRIM_HORIZON)
            .withFailoverTimeMillis(2_000)
            .withShardSyncIntervalMillis(1_000)
            .withParentShardPollIntervalMillis(300)
            .withIdleTimeBetweenReadsInMillis(200)
            .withTaskBackoffTimeMillis(300);
        var worker = new Worker.Builder()
            .recordProcessorFactory(Consumer::new)
            .config(config)
            .metricsFactory(new NullMetricsFactory())
            .build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                worker.startGracefulShutdown().get(15, TimeUnit.SECONDS);
            } catch (Exception error) {
                System.err.println("no graceful shutdown: " + error);
            }
        }));
        worker.run();
    }

    private static void checkpoint(IRecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint();
        } catch (KinesisClientLibException | RuntimeException error) {
            System.err.println("no checkpoint: " + error);
        }
    }

    @Override
    public void initialize(InitializationInput input) {
        shard = input.getShardId();
        System.out.println(shard + " taken");
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
        input.getRecords().forEach(found ->
            System.out.println(shard + " " + StandardCharsets.UTF_8.decode(found.getData().duplicate())));
        if (System.nanoTime() - checkpointed >= PAUSE) {
            checkpoint(input.getCheckpointer());
            checkpointed = System.nanoTime();
        }
    }

    @Override
    public void shutdown(ShutdownInput input) {
        if (input.getShutdownReason() == ShutdownReason.TERMINATE) {
            checkpoint(input.getCheckpointer());
        } else {
            System.err.println("lost " + shard);
        }
    }

    @Override
    public void shutdownRequested(IRecordProcessorCheckpointer checkpointer) {
        checkpoint(checkpointer);
    }
}
