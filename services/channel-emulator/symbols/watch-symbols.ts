import { create } from '@bufbuild/protobuf';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { encodeSymbols } from '../../../shared/codec/symbols.js';
import {
  type WatchSymbolsRequest,
  type WatchSymbolsResponse,
  WatchSymbolsResponseSchema,
} from '../../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { SymbolFormat } from '../../../shared/gen/semlink/v1/frame_pb.js';
import type { DrainList } from '../../../shared/rpc/drain-list.js';
import { invalidArgument, resourceExhausted } from '../../../shared/rpc/errors.js';
import { checkLinkId } from '../../../shared/rpc/frame-header.js';
import { nowUnixNano, type Telemetry } from '../../../shared/telemetry/index.js';
import { tieToStream } from '../watch-stream.js';
import type { SymbolSample, SymbolTaps } from './symbol-taps.js';

const usualFramesPerSecond = 10;
const mostFramesPerSecond = 1000;
/** Each costs a comparison a frame. */
const mostWatchers = 64;

/** Serves WatchSymbols. @throws SemlinkError INVALID_ARGUMENT, or RESOURCE_EXHAUSTED when too many look on already */
export function watchSymbols(
  { taps, telemetry, drains }: { taps: SymbolTaps; telemetry: Telemetry; drains: DrainList },
  call: ServerWritableStream<WatchSymbolsRequest, WatchSymbolsResponse>,
): void {
  const { linkId, maxFramesPerSecond: wanted } = call.request;
  if (linkId !== '') checkLinkId(linkId);
  const maxFramesPerSecond = wanted === 0 ? usualFramesPerSecond : wanted;
  if (!(maxFramesPerSecond > 0 && maxFramesPerSecond <= mostFramesPerSecond)) {
    throw invalidArgument('max_frames_per_second', maxFramesPerSecond, `use a number over 0 to ${mostFramesPerSecond}`);
  }
  if (taps.size >= mostWatchers) {
    throw resourceExhausted('number of WatchSymbols streams', taps.size, 'close one of them first');
  }
  const { channel: metrics } = telemetry.metrics;
  const closed = metrics.symbolWatcherOpened();
  const watcher = taps.watch({
    linkId,
    maxFramesPerSecond,
    tell: (sample) => {
      metrics.countSymbolSample();
      return call.write(sampleMessage(sample));
    },
  });
  tieToStream(watcher, call, drains, closed);
}

function sampleMessage({ sent, received, passage, skipped, ...frame }: SymbolSample): WatchSymbolsResponse {
  const { model, snrDb, noisePower, gains, blockSymbols, erased } = passage;
  return create(WatchSymbolsResponseSchema, {
    ...frame,
    channelModel: model,
    snrDb,
    noisePower,
    gains,
    blockSymbols,
    sent: encodeSymbols(SymbolFormat.FC32, sent).iq,
    received: encodeSymbols(SymbolFormat.FC32, received).iq,
    erased: erased === true,
    timeUnixNano: nowUnixNano(),
    skipped: BigInt(skipped),
  });
}
