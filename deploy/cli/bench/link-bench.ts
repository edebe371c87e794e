import type { RatePolicy } from '../../../shared/codec/rate-control.js';
import { TransmitterEncoderService } from '../../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../../shared/rpc/client.js';
import { notFound } from '../../../shared/rpc/errors.js';
import { targetParts } from '../../../shared/rpc/target.js';
import { type LoadShape, loadLink, type Stage } from './link-load.js';
import type { LoadImages } from './link-messages.js';
import { usageOf } from './process-usage.js';

/** A running link that is measured. */
export interface BenchTarget {
  /** Of its transmitter-encoder: `host:port`, or several with commas between. */
  address: string;
  images: LoadImages;
  policy: RatePolicy;
  /** Its processes by name; what they use is measured. Empty: it is not known. */
  processes: Record<string, number>;
}

/** One line of a benchmark; the fields are those of the JSON. */
export interface LinkMeasurement {
  images_per_message: number;
  /** Of one stream. */
  in_flight: number;
  streams: number;
  /** Asked for, images/s; null: closed loop. */
  rate: number | null;
  images: number;
  errors: number;
  first_error?: string;
  images_per_second: number;
  latency_ms: Record<'p50' | 'p90' | 'p99' | 'p99.9' | 'max', number>;
  /** How late the load sent what was due, ms; null: closed loop. */
  lateness_p99_ms: number | null;
  /** Mean time in each stage, ms. */
  stages_ms: Record<Stage, number>;
  /** Processor time an image, microseconds: of the services together, of each, and of the load. */
  services_us: number | null;
  service_us: Record<string, number>;
  load_us: number;
  /** Memory of the services at the end, MiB. */
  resident_mib: number | null;
}

/** The model a benchmark asks a transmitter for. */
export async function imagesOf(address: string, version = ''): Promise<LoadImages & { channelUses: number[] }> {
  const client = createRpcClient(TransmitterEncoderService, { address: targetParts(address)[0]! });
  try {
    const { models } = await client.listModels({});
    const model = models.find((one) => (version === '' ? one.default : one.version === version));
    if (!model) throw notFound('model', version, `there are ${models.map((one) => one.version).join(', ')}`);
    return {
      width: model.width,
      height: model.height,
      modelVersion: model.version,
      channelUses: model.channelUses,
    };
  } finally {
    client.close();
  }
}

/** Loads a link in one way and measures it. */
export async function measureLink(
  target: BenchTarget,
  shape: LoadShape,
  { warmSeconds, seconds, connections }: { warmSeconds: number; seconds: number; connections: number },
): Promise<LinkMeasurement> {
  const names = Object.keys(target.processes);
  const usage = () => names.map((name) => usageOf([target.processes[name]!]));
  let before = usage();
  let after = before;
  let load = 0;
  const result = await loadLink({
    ...target,
    ...shape,
    warmSeconds,
    seconds,
    connections,
    onMeasure: (what) => {
      if (what === 'begin') {
        before = usage();
        load = -ownSeconds();
      } else {
        after = usage();
        load += ownSeconds();
      }
    },
  });
  const each = (seconds: number) => round((seconds / Math.max(result.images, 1)) * 1e6);
  const spent = names.map((_, i) => after[i]!.processorSeconds - before[i]!.processorSeconds);
  const known = names.length > 0;
  const ms = (q: number) => round(result.latency.quantile(q) * 1e3);
  return {
    images_per_message: shape.perMessage,
    in_flight: shape.inFlight,
    streams: shape.streams,
    rate: shape.rate ?? null,
    images: result.images,
    errors: result.errors,
    ...(result.firstError !== undefined && { first_error: result.firstError }),
    images_per_second: round(result.images / result.seconds),
    latency_ms: { p50: ms(0.5), p90: ms(0.9), p99: ms(0.99), 'p99.9': ms(0.999), max: ms(1) },
    lateness_p99_ms: shape.rate === undefined ? null : round(result.lateness.quantile(0.99) * 1e3),
    stages_ms: mapValues(result.stages, (seconds) => round(seconds * 1e3)),
    services_us: known ? each(spent.reduce((sum, one) => sum + one, 0)) : null,
    service_us: Object.fromEntries(names.map((name, i) => [name, each(spent[i]!)])),
    load_us: each(load),
    resident_mib: known ? Math.round(after.reduce((sum, one) => sum + one.residentBytes, 0) / 2 ** 20) : null,
  };
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Four significant digits say all that is measured. */
const round = (value: number) => Number(value.toPrecision(4));

function mapValues<K extends string>(record: Record<K, number>, change: (value: number) => number): Record<K, number> {
  const entries = Object.entries<number>(record).map(([key, value]) => [key, change(value)] as const);
  return Object.fromEntries(entries) as Record<K, number>;
}
