import { z } from 'zod';
import { option } from '../../shared/config/index.js';

/** Loads such as 8x256 (images a message x in flight) or 1x4x64 (x streams). */
export function loadsOf(loads: string[]) {
  return z
    .array(z.string().regex(/^\d+x\d+(?:x\d+)?$/, 'write loads such as 8x256 or 1x4x64'))
    .min(1)
    .default(loads);
}

export const jsonOption = option(z.string().optional(), {
  description: 'Also write the results to this file.',
  placeholder: 'FILE',
});

/** How long each measurement is, and the time under the same load before it. */
export const timeOptions = {
  seconds: option(z.number().min(0.1).max(86_400).default(2), { description: 'Time of one measurement.', unit: 's' }),
  warmSeconds: option(z.number().min(0).max(3600).default(1), {
    description: 'Time under the same load before each.',
    unit: 's',
  }),
};
