import type { Calibration } from '../../shared/codec/calibration.js';
import type { Manifest } from '../../shared/codec/manifest.js';
import type { NetworkSpec } from '../../shared/codec/network.js';
import { decoderCost, encoderCost, type NetworkCost } from '../../shared/codec/network-cost.js';
import { loadConfig, semlinkVersion } from '../../shared/config/index.js';
import { CIFAR10_CLASS_NAMES } from '../../shared/data/cifar10.js';
import { loadTensorFlow, nativeBackend } from '../../shared/tensor/native.js';
import { type DistillerConfig, distillerConfig, modelName, optionsOfResult } from './config.js';
import type { StartOrigin } from './start-model.js';
import type { LoadedKnowledge } from './stored-knowledge.js';

/** What a finished run is published with. */
export interface Finished {
  config: DistillerConfig;
  spec: NetworkSpec;
  calibration: Calibration;
  /** Epochs and steps whose result is published. */
  epochs: number;
  steps: number;
  seconds: number;
  knowledge?: LoadedKnowledge['origin'] | undefined;
  start?: StartOrigin | undefined;
}

/** The manifest of a finished run. */
export function manifestOf(run: Finished): Omit<Manifest, 'files'> {
  const { config, spec, calibration, knowledge, start } = run;
  const options = optionsOfResult(config);
  const { seed: _seed, epochs: _epochs, batchSize: _batch, threads: _threads, startFrom: _from, ...others } = options;
  const cost = ({ parameters, flop }: NetworkCost) => ({ parameters, mflop: Number((flop / 1e6).toFixed(3)) });
  return {
    format: 'semlink-model/1',
    version: modelName(config),
    dataset: 'cifar10',
    classNames: [...CIFAR10_CLASS_NAMES],
    network: spec,
    channelUses: [...config.channelUses],
    cost: { encoder: cost(encoderCost(spec)), decoder: cost(decoderCost(spec)) },
    calibration,
    training: {
      command: commandOf(config, { ...options, startFrom: start?.model }),
      seed: config.seed,
      split: 'train',
      images: config.images,
      epochs: run.epochs,
      batchSize: config.batchSize,
      steps: run.steps,
      seconds: Math.round(run.seconds),
      threads: config.threads,
      software: {
        semlink: semlinkVersion(),
        node: process.versions.node,
        tensorflow: nativeBackend(loadTensorFlow()).binding.TF_Version,
      },
      options: others,
      ...(knowledge && { knowledge }),
      ...(start && { startedFrom: start }),
    },
  };
}

/** The command that makes the model again: every option that is not at its default. */
function commandOf(config: DistillerConfig, options: Partial<DistillerConfig>): string {
  const defaults = loadConfig(distillerConfig).config!;
  const flags = distillerConfig.options.flatMap(({ key, flag }) => {
    const value = options[key as keyof DistillerConfig];
    if (value === undefined || String(value) === String(defaults[key as keyof DistillerConfig])) return [];
    return value === true ? [`--${flag}`] : [`--${flag} ${value}`];
  });
  return [`semlink ${config.knowledge ? 'distill' : 'train'}`, `--name ${modelName(config)}`, ...flags].join(' ');
}
