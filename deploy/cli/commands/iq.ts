import path from 'node:path';
import { z } from 'zod';
import { sigmfTypes } from '../../../shared/channel/sigmf.js';
import { defineConfig, loadConfigOrExit, option } from '../../../shared/config/index.js';
import type { Command } from '../command.js';
import { convertIq } from '../iq-files.js';

const definition = defineConfig({
  name: 'iq',
  usage: 'semlink iq',
  description:
    'Converts complex samples between files of software radio: SigMF (.sigmf-meta, as the channel-emulator records), FC32 (.fc32, .cf32, .cfile) and SC16 (.sc16, .cs16).',
  positionals: {
    usage: 'FROM TO',
    description: 'Two files; what they are follows from their extensions.',
    min: 2,
    max: 2,
  },
  fields: {
    link: option(z.string().default(''), { description: 'Only the frames of this link of a SigMF recording.' }),
    type: option(z.enum(sigmfTypes).default('cf32_le'), {
      description: 'Type of the samples of a SigMF file to write.',
    }),
    fullScale: option(z.number().min(1e-6).max(1e6).default(1), {
      description: 'SC16 and ci16_le: the amplitude that 32768 stands for, of files that do not say it themselves.',
    }),
    sampleRateHz: option(z.number().min(1).max(1e12).optional(), {
      description: 'What a SigMF file to write says; default: as the one that is read, else 1e6.',
      unit: 'Hz',
    }),
  },
});

export const iq: Command = {
  async run(argv) {
    const { config, positionals } = loadConfigOrExit(definition, argv);
    const [from, to] = positionals.map((name) => path.resolve(name));
    const { samples, power, peak } = await convertIq(from!, to!, config);
    process.stdout.write(`${samples} samples, mean power ${power.toFixed(4)}, peak ${peak.toFixed(4)}: ${to}\n`);
    return 0;
  },
};
