import { loadConfigOrExit } from '../../shared/config/index.js';
import {
  GpuWatch,
  gpuIsVisible,
  type JobTelemetry,
  startJobTelemetry,
  TrainingMetrics,
} from '../../shared/telemetry/index.js';
import { setTensorFlowEnvironment, tensorsAlive } from '../../shared/tensor/native.js';
import { distillerConfig } from './config.js';
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
try {
  telemetry = await startJobTelemetry(config.metrics.listen, metrics);
  if (telemetry.url) {
    const gpu = gpuIsVisible() ? new GpuWatch() : undefined;
    metrics.memory.track({ tensors: tensorsAlive, gpus: () => gpu?.readings() ?? [] });
    reporter.say(`metrics at ${telemetry.url}`);
  }
  const model = await train(config, new MeteredReporter(reporter, metrics, config.batchSize), stop.signal);
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
}
