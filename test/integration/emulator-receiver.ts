/** A receiver-decoder for tests, as a process: answers every frame a little later, on the address given. */
import { create } from '@bufbuild/protobuf';
import { FrameResultSchema } from '../../shared/gen/semlink/v1/frame_pb.js';
import { ReceiveResponseSchema, ReceiverDecoderService } from '../../shared/gen/semlink/v1/receiver_decoder_pb.js';
import { implementService } from '../../shared/rpc/adapter.js';
import { resultFields } from '../../shared/rpc/frame-result.js';
import { serveFrameStream } from '../../shared/rpc/frame-stream-server.js';
import { startServer } from '../../shared/rpc/server.js';

const [listen = '127.0.0.1:0', delayMs = '5'] = process.argv.slice(2);

const service = implementService(ReceiverDecoderService, {
  receive: (call) => {
    serveFrameStream(call, {
      origin: 'receiver-decoder',
      framesOf: ({ frames }) => frames,
      toResponse: (parts) => create(ReceiveResponseSchema, parts),
      bytesOf: ({ iq }) => iq.length,
      onFrames: (frames, stream) => {
        setTimeout(() => {
          for (const { header, channelUses } of frames) {
            stream.answer(create(FrameResultSchema, { ...resultFields(header), channelUses }));
          }
        }, Number(delayMs));
      },
    });
  },
});
const { address } = await startServer({ role: 'receiver-decoder', listen, services: [service] });
process.stdout.write(`${address}\n`);
