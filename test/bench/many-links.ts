import { create } from '@bufbuild/protobuf';
import type { LoadImages } from '../../deploy/cli/bench/link-messages.js';
import {
  TransmitRequestSchema,
  TransmitterEncoderService,
} from '../../shared/gen/semlink/v1/transmitter_encoder_pb.js';
import { createRpcClient } from '../../shared/rpc/client.js';
import { nowUnixNano } from '../../shared/telemetry/index.js';

/** Sends one image over each of so many links, so that all services know them; resolves when all are answered. */
export async function meetLinks(address: string, images: LoadImages, links: number): Promise<void> {
  const { width, height, modelVersion } = images;
  const client = createRpcClient(TransmitterEncoderService, { address });
  const call = client.transmit();
  let answered = 0;
  const done = new Promise<void>((resolve, reject) => {
    call.on('error', reject);
    call.on('data', ({ results }) => {
      answered += results.length;
      if (answered >= links) resolve();
    });
  });
  const rgb = new Uint8Array(width * height * 3).fill(40);
  for (let first = 0; first < links; first += 50) {
    const frames = Array.from({ length: Math.min(50, links - first) }, (_, i) => ({
      header: {
        linkId: `link-${first + i}`,
        sequence: 1n,
        captureTimeUnixNano: nowUnixNano(),
        modelVersion,
        trueLabel: i % 10,
      },
      width,
      height,
      rgb,
    }));
    call.write(create(TransmitRequestSchema, { frames }));
  }
  await done;
  call.end();
  client.close();
}
