/**
 * Sends CIFAR-10 images through GNU Radio and prints a table for README.md:
 * `node dist/test/interop/run-gnuradio.js [IMAGES]`.
 */
import { gnuRadioVersion, type InteropCase, runOverGnuRadio } from './gnuradio.js';

const images = Number(process.argv[2] ?? 2_000);
const version = gnuRadioVersion();
if (!version) {
  process.stderr.write('GNU Radio is not installed: apt-get install --no-install-recommends gnuradio\n');
  process.exit(1);
}

const rotation = ['--gain', '0.6+0.8j'];
const cases: [string, InteropCase][] = [
  ['none: the model awgn', { snrDb: 10, flags: [], pilotSymbols: 0 }],
  ['none: the model awgn', { snrDb: 0, flags: [], pilotSymbols: 0 }],
  ['none: the model awgn', { snrDb: -10, flags: [], pilotSymbols: 0 }],
  ['gain 1, PUSH/PULL', { form: 'push-pull', snrDb: 20, flags: [], pilotSymbols: 0 }],
  ['gain 1, PUSH/PULL', { form: 'push-pull', snrDb: 10, flags: [], pilotSymbols: 0 }],
  ['gain 1, PUSH/PULL', { form: 'push-pull', snrDb: 0, flags: [], pilotSymbols: 0 }],
  ['gain 1, PUSH/PULL', { form: 'push-pull', snrDb: -10, flags: [], pilotSymbols: 0 }],
  ['gain 1, REQ/REP', { form: 'req-rep', snrDb: 10, flags: [], pilotSymbols: 0 }],
  ['gain 1, srsRAN requests', { form: 'srsran', snrDb: 10, flags: [], pilotSymbols: 0 }],
  ['gain 0.6+0.8j, 16 pilots', { form: 'push-pull', snrDb: 10, flags: rotation, pilotSymbols: 16 }],
  ['gain 0.6+0.8j, no pilots', { form: 'push-pull', snrDb: 10, flags: rotation, pilotSymbols: 0 }],
  ['delay 17', { form: 'push-pull', snrDb: 10, flags: ['--delay', '17'], pilotSymbols: 0 }],
  ['channel_model', { form: 'push-pull', snrDb: 10, flags: ['--channel', 'model'], pilotSymbols: 16 }],
];

process.stdout.write(`GNU Radio ${version}, ${images} CIFAR-10 test images a row, 64 symbols an image\n\n`);
process.stdout.write('| flow graph | SNR dB | errors | accuracy % | EVM % | expected EVM % | images/s |\n');
process.stdout.write('|---|---|---|---|---|---|---|\n');
for (const [name, one] of cases) {
  const { errors, accuracy, evm, expectedEvm, imagesPerSecond } = await runOverGnuRadio(images, one);
  const cells = [
    name,
    one.snrDb,
    errors,
    (100 * accuracy).toFixed(1),
    (100 * evm).toFixed(2),
    (100 * expectedEvm).toFixed(2),
    imagesPerSecond.toFixed(0),
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
process.exit(0);
