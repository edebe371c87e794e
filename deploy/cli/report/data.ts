import type { PowerConstraint } from '../../../shared/codec/power-constraint.js';
import type { Figure } from './figure.js';
import type { Latency } from './latency.js';
import type { Recorded } from './recorded.js';

/** A model at a point, over the seeds of the channel. Names as `semlink evaluate --json` has them. */
export interface ModelPoint {
  model: string;
  channel: string;
  snr_db: number;
  k: number;
  power: PowerConstraint;
  /** Mean over seeds, 0 to 1. */
  accuracy: number;
  /** Sample standard deviation over seeds. */
  accuracy_deviation: number;
  accuracy_by_seed: number[];
  images: number;
  semantic_bits: number;
}

/** A computed baseline at a point. */
export interface BaselinePoint {
  baseline: 'coded-label' | 'capacity-bound';
  channel: string;
  snr_db: number;
  k: number;
  accuracy: number;
}

/** A published point and ours at a setting that asks no more of the channel. */
export interface Comparison {
  who: string;
  setting: string;
  power: PowerConstraint;
  snr_db: number;
  k: number;
  accuracy: number;
  ours: ModelPoint[];
}

export interface ModelFacts {
  model: string;
  encoder: { parameters: number; mflop: number };
  decoder: { parameters: number; mflop: number };
  channel_uses: number[];
  /** Accuracy of the pair's own classifier with nothing in the way: the longest message, 26 dB. */
  on_device_accuracy: number;
  training: { command: string; seed: number; images: number; epochs: number; knowledge: boolean };
  latency: Latency[];
}

/** All that the report says: what it draws, and what that was drawn from. */
export interface ReportData {
  format: 'semlink-report/1';
  images: number;
  split: string;
  seeds: number[];
  machine: string;
  models: ModelFacts[];
  /** Whose on-device decision the coded label carries. */
  label_classifier: { model: string; accuracy: number };
  results: ModelPoint[];
  baselines: BaselinePoint[];
  published: Comparison[];
  recorded: Recorded;
  figures: Figure[];
}
