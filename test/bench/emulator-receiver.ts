/** A receiver-decoder for the benchmark of the emulator: answers every frame at once, with next to no work of its own. */

import { create, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { FrameResultSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { fields, lengthDelimited } from './wire.js';

/** What follows the three fields that FrameHeader and FrameResult have in common: a real answer, ten classes. */
const rest = toBinary(
  FrameResultSchema,
  create(FrameResultSchema, {
    outcome: {
      case: 'classification',
      value: { label: 3, confidence: 0.9, probabilities: [0.01, 0.01, 0.01, 0.9, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01] },
    },
    channelUses: 64,
    snrDb: 10,
    channelModel: 'rayleigh-block',
    modelVersion: 'm-cifar10-3',
    payloadBytes: 256,
    timings: { encodeNanos: 1n, channelNanos: 1000n, decodeQueueNanos: 1000n, decodeNanos: 1000n },
  }),
);

function answers(request: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (const frame of fields(request, 0, request.length)) {
    for (const field of fields(request, frame.start, frame.end)) {
      if (field.number !== 1) continue;
      // link_id, sequence and capture_time_unix_nano come first, under the numbers they have in the answer.
      let end = field.start;
      for (const part of fields(request, field.start, field.end)) if (part.number <= 3) end = part.end;
      parts.push(
        lengthDelimited(1, end - field.start + rest.length),
        request.subarray(field.start, end),
        Buffer.from(rest),
      );
      break;
    }
  }
  return Buffer.concat(parts);
}

const raw = (bytes: Buffer) => bytes;
const definition = {
  receive: {
    path: '/semlink.v1.ReceiverDecoderService/Receive',
    requestStream: true,
    responseStream: true,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  },
};
const server = new Server();
server.addService(definition, {
  receive(call: ServerDuplexStream<Buffer, Buffer>) {
    call.on('data', (request: Buffer) => call.write(answers(request)));
    call.on('end', () => call.end());
    call.on('error', () => {});
  },
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`127.0.0.1:${port}\n`);
});
