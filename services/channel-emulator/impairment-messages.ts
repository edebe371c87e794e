/** Impairments of a channel between their protobuf form and the domain's. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  ErasureSettings,
  GilbertElliottSettings,
  ImpairmentSettings,
  LossUnit,
} from '../../shared/channel/channel-settings.js';
import {
  type ErasureLoss,
  type ErasureLossSchema,
  type GilbertElliottLoss,
  type GilbertElliottLossSchema,
  type Impairments,
  type ImpairmentsSchema,
  LossUnit as LossUnitMessage,
} from '../../shared/gen/semlink/v1/channel_emulator_pb.js';
import { invalidArgument } from '../../shared/rpc/errors.js';

/** @throws SemlinkError INVALID_ARGUMENT for an unknown unit of loss */
export function impairmentsFrom(message: Impairments): ImpairmentSettings {
  const { loss, ...numbers } = message;
  const { carrierFrequencyOffsetHz, phaseNoiseLinewidthHz, shadowingSigmaDb, shadowingDecorrelationSeconds } = numbers;
  return {
    ...(carrierFrequencyOffsetHz !== 0 && { carrierFrequencyOffsetHz }),
    ...(phaseNoiseLinewidthHz !== 0 && { phaseNoiseLinewidthHz }),
    ...(shadowingSigmaDb !== 0 && { shadowingSigmaDb }),
    ...(shadowingDecorrelationSeconds !== 0 && { shadowingDecorrelationSeconds }),
    ...(loss.case === 'erasure' && { loss: { kind: 'erasure' as const, ...erasureFrom(loss.value) } }),
    ...(loss.case === 'gilbertElliott' && {
      loss: { kind: 'gilbert-elliott' as const, ...gilbertElliottFrom(loss.value) },
    }),
  };
}

export function impairmentsMessage({
  loss,
  ...numbers
}: ImpairmentSettings): MessageInitShape<typeof ImpairmentsSchema> {
  if (!loss) return numbers;
  return loss.kind === 'erasure'
    ? { ...numbers, loss: { case: 'erasure', value: erasureMessage(loss) } }
    : { ...numbers, loss: { case: 'gilbertElliott', value: gilbertElliottMessage(loss) } };
}

/** @throws SemlinkError INVALID_ARGUMENT for an unknown unit */
export function erasureFrom({ probability, unit }: ErasureLoss): ErasureSettings {
  return { probability, unit: unitFrom(unit) };
}

export function erasureMessage({ probability, unit }: ErasureSettings): MessageInitShape<typeof ErasureLossSchema> {
  return { probability, unit: unitMessage(unit) };
}

/** @throws SemlinkError INVALID_ARGUMENT for an unknown unit */
export function gilbertElliottFrom(message: GilbertElliottLoss): GilbertElliottSettings {
  const { goodToBad, badToGood, lossGood, lossBad, unit, stepSymbols } = message;
  return {
    goodToBad,
    badToGood,
    unit: unitFrom(unit),
    ...(lossGood !== undefined && { lossGood }),
    ...(lossBad !== undefined && { lossBad }),
    ...(stepSymbols !== 0 && { stepSymbols }),
  };
}

export function gilbertElliottMessage(
  settings: GilbertElliottSettings,
): MessageInitShape<typeof GilbertElliottLossSchema> {
  const { goodToBad, badToGood, lossGood, lossBad, unit, stepSymbols = 1 } = settings;
  return {
    goodToBad,
    badToGood,
    unit: unitMessage(unit),
    stepSymbols,
    ...(lossGood !== undefined && { lossGood }),
    ...(lossBad !== undefined && { lossBad }),
  };
}

function unitFrom(unit: LossUnitMessage): LossUnit {
  switch (unit) {
    case LossUnitMessage.UNSPECIFIED:
    case LossUnitMessage.FRAME:
      return 'frame';
    case LossUnitMessage.SYMBOL:
      return 'symbol';
    default:
      throw invalidArgument('loss unit', unit, 'use LOSS_UNIT_FRAME or LOSS_UNIT_SYMBOL');
  }
}

function unitMessage(unit: LossUnit): LossUnitMessage {
  return unit === 'frame' ? LossUnitMessage.FRAME : LossUnitMessage.SYMBOL;
}
