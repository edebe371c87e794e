// The flags of the set-up.
import { parseArgs } from 'node:util';
import { SetupFailure } from './failure.mjs';

export const HELP = `Usage: npm run setup -- [flags]

Makes a fresh clone ready: packages, native TensorFlow, CIFAR-10, generated code, build.
Does only what is not done yet; safe to interrupt and to run again.

  --cpu      TensorFlow for the CPU
  --gpu      TensorFlow for NVIDIA GPUs, with its CUDA libraries (about 4 GB)
             (without either flag: the last choice; at first, GPU where there is an NVIDIA driver)
  --check    say what would be done, and do nothing; exit code 0 when nothing is left to do, else 1
  --help     this text

Environment:
  SEMLINK_CACHE   folder for everything big (default: semlink under the user's cache folder)
  SEMLINK_DEBUG   1: when something fails, show the details
  CXX             the C++ compiler (default: g++)
`;

/**
 * @param {string[]} args
 * @returns {{help: boolean, check: boolean, device: 'cpu' | 'gpu' | undefined}}
 */
export function parseOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        check: { type: 'boolean', default: false },
        cpu: { type: 'boolean', default: false },
        gpu: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new SetupFailure(`${error.message.split('. ')[0]}; \`npm run setup -- --help\` lists the flags.`, {
      cause: error,
    });
  }
  if (values.cpu && values.gpu) throw new SetupFailure('--cpu and --gpu exclude each other; give one of them.');
  return {
    help: values.help === true,
    check: values.check === true,
    device: values.gpu ? 'gpu' : values.cpu ? 'cpu' : undefined,
  };
}
