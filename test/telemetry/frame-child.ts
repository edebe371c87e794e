/**
 * A process that does to one frame what the whole chain does, for telemetry.test.ts: the client's root span stays open
 * while the services record theirs under it. Prints the frame's traceparent.
 */
import { setTimeout } from 'node:timers/promises';
import { ATTRIBUTES, FrameTracer, nowUnixNano, SPANS, startTracing } from '../../shared/telemetry/index.js';

const warnings: string[] = [];
const tracing = await startTracing({ serviceName: 'ignored', warn: (sentence) => warnings.push(sentence) });

const client = new FrameTracer('client', { sampleRatio: 1 });
const start = nowUnixNano();
const root = client.startRoot({ linkId: 'link-1', sequence: 7n, captureTimeUnixNano: start });
const header = root?.traceparent ?? '';

const transmitter = new FrameTracer('transmitter-encoder');
const stream = transmitter.markStream('Transmit', start, { [ATTRIBUTES.peer]: '127.0.0.1:1' });
const at = (micros: bigint): bigint => start + micros * 1000n;
transmitter.recordSpan(SPANS.encode, header, at(100n), at(400n), {
  stream,
  attributes: { [ATTRIBUTES.channelUses]: 8, [ATTRIBUTES.snrDb]: -6.5, [ATTRIBUTES.correct]: true },
});
new FrameTracer('channel-emulator').recordSpan(SPANS.propagate, header, at(500n), at(600n));
new FrameTracer('receiver-decoder').recordSpan(SPANS.decode, header, at(700n), at(900n), { error: 'a made-up fault' });
root?.end({ endUnixNano: at(1000n), attributes: { [ATTRIBUTES.label]: 3 } });

// For the test of a collector that is down: stays until that has been noticed.
for (let waited = 0; process.env.TEST_AWAIT_WARNING && warnings.length === 0 && waited < 10_000; waited += 20) {
  await setTimeout(20);
}
const limitMs = Number(process.env.TEST_LIMIT_MS ?? 5000);
const sent = await tracing.stop(limitMs);
const report = JSON.stringify({ enabled: tracing.enabled, header, start: String(start), sent, warnings });
process.stdout.write(`${report}\n`, () => process.exit(0));
