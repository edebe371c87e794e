import { publishModel } from '../../shared/codec/model-folder.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { encoderCost } from '../../shared/codec/network-cost.js';
import { randomWeights, smallManifest } from '../../shared/codec/small-model.fixture.js';

/** The peers' encoder: MFLOP an image and symbols of its one message length. */
const PEERS_MFLOP = 18.5;
const SYMBOLS = 128;

/**
 * Publishes a model of random weights with as much arithmetic as the peers' (a little more) and as many symbols, so that
 * chains are compared and not networks.
 *
 * @param parent folder to publish in
 * @returns its version
 */
export async function publishEqualModel(parent: string): Promise<string> {
  const spec = equalSpec();
  const version = 'equal-arithmetic';
  await publishModel(parent, smallManifest(version, spec), randomWeights(spec, 1));
  return version;
}

/** Stages in multiples of 16 channels, as the published models have them: convolutions compute 16 at a time. */
function equalSpec(): NetworkSpec {
  const sizes = { width: 32, height: 32, classes: 10, maxChannelUses: SYMBOLS, conditionUnits: 32, decoderUnits: 256 };
  for (let c = 16; c <= 256; c += 16) {
    const spec: NetworkSpec = { ...sizes, stages: [32, 48, c] };
    if (encoderCost(spec).flop >= PEERS_MFLOP * 1e6) return spec;
  }
  throw new Error(`no network of ${PEERS_MFLOP} MFLOP`);
}
