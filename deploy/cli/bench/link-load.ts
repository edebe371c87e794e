/** A load on a running link that costs its own side as little as it can, so that the link is what is measured. */
import { setTimeout as wait } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import type { RatePolicy } from '../../../shared/codec/rate-control.js';
import type { FrameResult } from '../../../shared/gen/semlink/v1/frame_pb.js';
import type { TransmitResponse } from '../../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { candidate, pickCandidate } from '../../../shared/rpc/rendezvous.js';
import { targetParts } from '../../../shared/rpc/target.js';
import { LatencyHistogram } from '../latency-histogram.js';
import type { LoadImages } from './link-messages.js';
import { LoadStream } from './load-stream.js';

/** How much is sent, and how. */
export interface LoadShape {
  /** Images a message. */
  perMessage: number;
  /** Images of one stream that are sent and not answered, at most; a message at least. */
  inFlight: number;
  /** Streams, each a link of its own. */
  streams: number;
  /** Images a second over all streams, sent when they are due (open loop); undefined: a message for each answered one. */
  rate?: number | undefined;
  /** After each message of answers a stream reads nothing for so long, ms: a slow reader. Default 0. */
  readPauseMs?: number;
}

export interface LoadOptions extends LoadShape {
  /** `host:port` of a transmitter-encoder, or of several with commas between: links are pinned to them. */
  address: string;
  images: LoadImages;
  policy: RatePolicy;
  /** Connections to each address that the streams are spread over. */
  connections: number;
  warmSeconds: number;
  seconds: number;
  /** Ends the measurement before its time; asked ten times a second with the images answered so far. */
  enough?: (images: number) => boolean;
  /** Called when measuring begins and ends. */
  onMeasure?: (what: 'begin' | 'end') => void;
}

/** What was measured between the warm-up and the end. */
export interface LoadResult {
  images: number;
  seconds: number;
  /** Images answered by an error, warm-up included, and the first such error. */
  errors: number;
  firstError: string | undefined;
  /** From when an image was sent (closed loop) or due (open loop) to its answer. */
  latency: LatencyHistogram;
  /** Open loop: how late messages were sent, because of this process or because too many were in flight. */
  lateness: LatencyHistogram;
  /** Mean time in each stage, seconds. */
  stages: Record<Stage, number>;
}

export const STAGES = ['encodeQueue', 'encode', 'channel', 'decodeQueue', 'decode'] as const;
export type Stage = (typeof STAGES)[number];

/** How long answers are awaited once nothing more is sent. */
const LAST_ANSWERS_MS = 10_000;

/**
 * Loads a link for a time and measures what comes back.
 *
 * @throws Error when a stream breaks off
 */
export async function loadLink(options: LoadOptions): Promise<LoadResult> {
  const { address, perMessage, inFlight, streams, rate, warmSeconds, seconds } = options;
  const addresses = targetParts(address).map(candidate);
  const clients = new Map(
    addresses.map((one) => [one, connect(one.address, Math.min(options.connections, streams))] as const),
  );
  const clientOf = (linkId: string, i: number): Client => {
    const connections = clients.get(pickCandidate(linkId, addresses)!)!;
    return connections[i % connections.length]!;
  };
  const sums = new Sums();
  let broken: Error | undefined;
  let sending = true;
  const all = Array.from(
    { length: streams },
    (_, i) =>
      new LoadStream(clientOf(`bench-${i}`, i), {
        linkId: `bench-${i}`,
        images: options.images,
        policy: options.policy,
        perMessage,
        messages: Math.max(1, Math.floor(inFlight / perMessage)),
        readPauseMs: options.readPauseMs ?? 0,
        onResponse: (response, sinceOf) => sums.add(response, sinceOf),
        onRoom: (stream) => {
          if (sending && rate === undefined) stream.trySend(performance.now());
        },
        onFailure: (error) => {
          broken ??= error;
        },
      }),
  );
  const stop = rate === undefined ? fill(all) : keepTo(all, rate / perMessage, sums);
  try {
    await waitWhole(warmSeconds, () => broken);
    sums.begin();
    options.onMeasure?.('begin');
    const { enough } = options;
    await waitWhole(seconds, () => broken, enough && (() => enough(sums.images)));
    options.onMeasure?.('end');
    const result = sums.end();
    sending = false;
    stop();
    const last = performance.now() + LAST_ANSWERS_MS;
    while (all.some((stream) => stream.waiting > 0) && performance.now() < last) await wait(5);
    for (const stream of all) stream.end();
    return result;
  } finally {
    sending = false;
    stop();
    await wait(20);
    for (const stream of all) stream.cancel();
    for (const client of [...clients.values()].flat()) client.close();
  }
}

function connect(address: string, connections: number): Client[] {
  return Array.from(
    { length: connections },
    () =>
      new Client(address, credentials.createInsecure(), {
        'grpc.max_receive_message_length': -1,
        // Otherwise clients to one address would share one connection.
        'grpc.use_local_subchannel_pool': 1,
      }),
  );
}

/** Closed loop: fills every stream; the rest follows from the answers. */
function fill(streams: LoadStream[]): () => void {
  for (const stream of streams) while (stream.trySend(performance.now()));
  return () => {};
}

/** Sleeping is only so exact. */
const SLEEP_AHEAD_MS = 2;

/**
 * Open loop: message i is due at start + i / rate, whatever has become of those before it, and its latency counts from
 * then. Where no stream has room it is sent later, but no less due. The last two milliseconds before a message are not
 * slept, so that this process is not late itself.
 */
function keepTo(streams: LoadStream[], messagesPerSecond: number, sums: Sums): () => void {
  const start = performance.now();
  let next = 0;
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    const now = performance.now();
    for (;;) {
      const due = start + (next * 1e3) / messagesPerSecond;
      if (due > now || !streams[next % streams.length]!.trySend(due)) break;
      sums.late((now - due) / 1e3);
      next++;
    }
    const ahead = start + (next * 1e3) / messagesPerSecond - performance.now();
    if (ahead > SLEEP_AHEAD_MS) setTimeout(tick, ahead - SLEEP_AHEAD_MS);
    else setImmediate(tick);
  };
  tick();
  return () => {
    stopped = true;
  };
}

async function waitWhole(
  seconds: number,
  broken: () => Error | undefined,
  enough: () => boolean = () => false,
): Promise<void> {
  const end = performance.now() + seconds * 1e3;
  for (;;) {
    const why = broken();
    if (why) throw new Error(`the load broke off: ${why.message}`, { cause: why });
    const left = end - performance.now();
    if (left <= 0 || enough()) return;
    await wait(Math.min(left, 100));
  }
}

class Sums {
  #measuring = false;
  #begin = 0;
  #images = 0;
  #errors = 0;
  #firstError: string | undefined;
  #latency = new LatencyHistogram();
  #lateness = new LatencyHistogram();
  #staged = 0;
  #stages = STAGES.map(() => 0);

  get images(): number {
    return this.#images;
  }

  begin(): void {
    this.#measuring = true;
    this.#begin = performance.now();
  }

  end(): LoadResult {
    this.#measuring = false;
    return {
      images: this.#images,
      seconds: (performance.now() - this.#begin) / 1e3,
      errors: this.#errors,
      firstError: this.#firstError,
      latency: this.#latency,
      lateness: this.#lateness,
      stages: Object.fromEntries(
        STAGES.map((stage, i) => [stage, this.#staged > 0 ? this.#stages[i]! / this.#staged / 1e9 : 0]),
      ) as Record<Stage, number>,
    };
  }

  late(seconds: number): void {
    if (this.#measuring) this.#lateness.add(seconds);
  }

  add({ results }: TransmitResponse, sinceOf: (sequence: bigint) => number): void {
    const now = performance.now();
    for (const result of results) {
      if (result.outcome.case === 'error') this.#fail(result);
      else if (this.#measuring) {
        this.#images++;
        this.#latency.add((now - sinceOf(result.sequence)) / 1e3);
      }
    }
    // One of each message is enough for the means.
    const timings = this.#measuring ? results[0]?.timings : undefined;
    if (!timings) return;
    this.#staged++;
    STAGES.forEach((stage, i) => {
      this.#stages[i]! += Number(timings[`${stage}Nanos`]);
    });
  }

  #fail({ outcome }: FrameResult): void {
    this.#errors++;
    if (outcome.case === 'error') this.#firstError ??= `${outcome.value.origin}: ${outcome.value.message}`;
  }
}
