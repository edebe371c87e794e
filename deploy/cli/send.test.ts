import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  killAll,
  startTestLink,
  type TestImage,
  type TestLink,
  testImages,
} from '../../test/integration/link.fixture.js';
import { semlink } from '../../test/integration/semlink-command.fixture.js';
import type { Summary } from './tally.js';

const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const formats = ['png', 'jpeg', 'webp'] as const;

let folder: string;
let local: TestLink;
let images: TestImage[];
beforeAll(async () => {
  [folder, local, images] = await Promise.all([
    mkdtemp(path.join(tmpdir(), 'semlink-send-')),
    startTestLink(),
    testImages(60),
  ]);
});
afterAll(async () => {
  try {
    expect(await local?.stop()).toBe(true);
  } finally {
    killAll(Object.values(local?.processes ?? {}));
    if (folder) await rm(folder, { recursive: true });
  }
});

const to = () => ['--to', local.address, '--emulator', local.processes['channel-emulator'].address];

/** Writes images as files of the three formats, in turn, and gives their names. */
async function writePictures(into: string, pictures: readonly TestImage[]): Promise<string[]> {
  await mkdir(into, { recursive: true });
  return Promise.all(
    pictures.map(async ({ rgb, width, height, index }, i) => {
      const format = formats[i % formats.length]!;
      const name = `${index}.${format === 'jpeg' ? 'jpg' : format}`;
      const picture = sharp(rgb, { raw: { width, height, channels: 3 } });
      await picture.toFormat(format, { quality: 95 }).toFile(path.join(into, name));
      return name;
    }),
  );
}

/** Runs `semlink send` and reads the summary it wrote. */
async function send(...args: string[]): Promise<{ status: number | string; stdout: string; summary: Summary }> {
  const json = path.join(folder, 'summary.json');
  const { status, stdout } = await semlink(['send', ...to(), '--json', json, ...args]);
  return { status, stdout, summary: JSON.parse(await readFile(json, 'utf8')) as Summary };
}

describe('semlink send FOLDER', () => {
  it('classifies PNG, JPEG and WebP files; a file that is none is an error by name', { timeout: 60_000 }, async () => {
    const pictures = path.join(folder, 'pictures');
    const names = await writePictures(pictures, images);
    const labels = images.map(({ label }, i) => `${names[i]},${i % 2 ? label : classes[label]}\n`);
    await writeFile(path.join(pictures, 'labels.csv'), ['file,label\n', ...labels].join(''));
    await writeFile(path.join(pictures, 'broken.png'), 'this is no picture');
    await writeFile(path.join(pictures, 'notes.txt'), 'neither is this, and nobody asked for it');
    const { status, stdout, summary } = await send(pictures);
    expect(status).toBe(1);
    expect(summary).toMatchObject({ images_sent: 61, results_received: 60, errors: 1 });
    const [message] = Object.keys(summary.errors_by_message);
    expect(message).toMatch(/^unreadable image: broken\.png cannot be read as an image: /);
    expect(stdout).toContain(`1 x ${message}`);
    expect(summary.accuracy).toBeGreaterThan(0.7);
    expect(summary.accuracy).toBeLessThanOrEqual(1);
  });

  it('takes the classes from the names of sub-folders', async () => {
    const sorted = path.join(folder, 'sorted');
    for (const label of [0, 8]) {
      await writePictures(
        path.join(sorted, classes[label]!),
        images.filter((image) => image.label === label),
      );
    }
    const count = images.filter(({ label }) => label === 0 || label === 8).length;
    const { status, summary } = await send(sorted);
    expect(status).toBe(0);
    expect(summary).toMatchObject({ images_sent: count, results_received: count, accuracy: expect.any(Number) });
  });

  it('without labels says nothing of accuracy', async () => {
    const plain = path.join(folder, 'plain');
    await writePictures(plain, images.slice(0, 3));
    const { status, stdout, summary } = await send(plain);
    expect(status).toBe(0);
    expect(summary).toMatchObject({ images_sent: 3, results_received: 3, accuracy: null });
    expect(stdout).toMatch(/^all +3 +0 +- /m);
  });

  it.each([
    ['that is not there', 'nowhere', /cannot be read: ENOENT/],
    ['without images', 'empty', /holds no PNG, JPEG or WebP image$/],
  ])('%s is one sentence and exit 1', async (_, name, message) => {
    await mkdir(path.join(folder, 'empty'), { recursive: true });
    const { status, stderr } = await semlink(['send', ...to(), path.join(folder, name)]);
    expect(status).toBe(1);
    expect(stderr.trim()).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('semlink send', () => {
  it('sweeps the channel of its link and leaves the others alone', async () => {
    const { status, summary, stdout } = await send(
      ...[
        '--link',
        'swept',
        '--images',
        '80',
        '--channel',
        'awgn',
        '--snr-db',
        '-3,15',
        '--policy',
        'fixed',
        '--k',
        '4',
      ],
    );
    expect(status).toBe(0);
    expect(summary).toMatchObject({
      images_sent: 160,
      results_received: 160,
      errors: 0,
      mean_channel_uses: 4,
      mean_channel_uses_by_snr_db: { '-3': 4, '15': 4 },
      payload_bytes_per_image: 16,
    });
    expect(summary.accuracy_by_snr_db['15']).toBeGreaterThan(summary.accuracy_by_snr_db['-3']!);
    expect(stdout).toMatch(/^-3 +80 +0 /m);
    expect(stdout).toMatch(/^15 +80 +0 /m);
    expect((await local.emulator.getChannel({ linkId: 'swept' })).channel?.snrDb).toBe(15);
    expect((await local.emulator.getChannel({ linkId: 'other' })).channel?.snrDb).toBe(10);
  });

  it('with a length the model does not have counts every image as an error by name', async () => {
    const { status, summary } = await send('--images', '20', '--policy', 'fixed', '--k', '5');
    expect(status).toBe(1);
    expect(summary).toMatchObject({ images_sent: 20, results_received: 0, errors: 20, accuracy: null });
    const messages = Object.keys(summary.errors_by_message);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(
      /^INVALID_ARGUMENT transmitter-encoder: channel uses of the policy is 5; .* has 2, 4, /,
    );
  });

  it('to nobody is one sentence and exit 1', async () => {
    const { status, stdout, stderr } = await semlink(['send', '--to', '127.0.0.1:1', '--images', '5']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      'semlink: 127.0.0.1:1 is not reachable (connect ECONNREFUSED 127.0.0.1:1); check that it runs there\n',
    );
  });

  it('for a model the transmitter does not have is one sentence and exit 1', async () => {
    const { status, stderr } = await semlink(['send', ...to(), '--model', 'm-none-9', '--images', '5']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^semlink: the transmitter has no model "m-none-9"; it has l-\S+, m-\S+.*\n$/);
  });
});
