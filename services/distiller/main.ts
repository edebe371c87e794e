import { loadConfigOrExit } from '../../shared/config/index.js';
import {
  ATTRIBUTES,
  GpuWatch,
  gpuIsVisible,
  JobSpan,
  type JobTelemetry,
  SPANS,
  startJobTelemetry,
  startTracing,
  TrainingMetrics,
} from '../../shared/telemetry/index.js';
import { setTensorFlowEnvironment, tensorsAlive } from '../../shared/tensor/native.js';
import { distillerConfig, modelName } from './config.js';
import { ConsoleReporter } from './console-reporter.js';
import { MeteredReporter } from './metered-reporter.js';
import { train } from './train.js';

const { config } = loadConfigOrExit(distillerConfig);
setTensorFlowEnvironment(config.threads);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
const reporter = new ConsoleReporter(process.stdout);
const metrics = new TrainingMetrics();
let telemetry: JobTelemetry | undefined;
const tracing = await startTracing({ serviceName: 'distiller' });
const job = JobSpan.start('distiller', SPANS.distill, {
  [ATTRIBUTES.modelVersion]: modelName(config),
  [ATTRIBUTES.images]: config.images,
  [ATTRIBUTES.seed]: config.seed,
});
try {
  telemetry = await startJobTelemetry(config.metrics.listen, metrics);
  if (telemetry.url) {
    const gpu = gpuIsVisible() ? new GpuWatch() : undefined;
    metrics.memory.track({ tensors: tensorsAlive, gpus: () => gpu?.readings() ?? [] });
    reporter.say(`metrics at ${telemetry.url}`);
  }
  const metered = new MeteredReporter(reporter, metrics, config.batchSize);
  const model = await job.around(async () => {
    const trained = await train(config, metered, stop.signal, job);
    job.set({ [ATTRIBUTES.outcome]: trained ? 'published' : 'stopped' });
    return trained;
  });
  if (!model) reporter.say('stopped; the same command goes on from here');
  process.exitCode = model ? 0 : 130;
} catch (error) {
  reporter.say('');
  process.stderr.write(
    `semlink ${config.knowledge ? 'distill' : 'train'}: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await telemetry?.close();
  // A collector that hangs holds nobody up for long; all else is done by then.
  await tracing.stop(5_000);
}
