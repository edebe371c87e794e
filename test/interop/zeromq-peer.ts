/**
 * A channel outside the project, as a process: takes cf32 over ZeroMQ, multiplies it by 0.6 + 0.8j (or 1), gives it back.
 * Its sockets are those of the real peers: PULL and PUSH, or REQ and REP with GNU Radio's or srsRAN's requests.
 *
 * Arguments: form, address to take from, address to give back on. Lines on standard input change what it does:
 * `lose N` the next N symbols are not given back, `hold N` the last N symbols are kept back from now on, `delay N` every
 * symbol comes N later with zeros first, `block N` only whole blocks leave, `wait MS` everything comes so much later (and what waits leaves at `normal`),
 * `stall` nothing is given back, `extra N` N symbols that nobody sent, `nan` the next symbol is NaN, `ragged` a message
 * of 3 bytes, `gain RE IM`, `normal`. Each is answered by a line `ok` on standard output.
 */
import { createInterface } from 'node:readline';
import { Pull, Push, Reply, Request } from 'zeromq';

const [form = 'push-pull', from = '', to = ''] = process.argv.slice(2);

let gain: [number, number] = [0.6, 0.8];
let lose = 0;
let hold = 0;
let block = 1;
let waitMs = 0;
let stalled = false;
let nan = false;
/** Symbols that are to go back, re, im, ... */
const out: number[] = [];
let wake = (): void => {};

function take(bytes: Buffer): void {
  const [re, im] = gain;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const [sRe, sIm] = [bytes.readFloatLE(at), bytes.readFloatLE(at + 4)];
    if (lose > 0) lose--;
    else out.push(nan ? Number.NaN : re * sRe - im * sIm, re * sIm + im * sRe);
    nan = false;
  }
  if (waitMs > 0) setTimeout(() => wake(), waitMs);
  else wake();
}

/** What may leave, at most so many symbols, once there is something. */
async function give(most = Number.POSITIVE_INFINITY): Promise<Buffer> {
  for (;;) {
    const ready = stalled ? 0 : Math.min(most, Math.floor(Math.max(0, out.length / 2 - hold) / block) * block);
    if (ready > 0) return Buffer.from(Float32Array.from(out.splice(0, 2 * ready)).buffer);
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

let ragged: () => Promise<void> = async () => {};

if (form === 'push-pull') {
  const pull = new Pull({ linger: 0 });
  const push = new Push({ linger: 0 });
  await push.bind(to);
  pull.connect(from);
  ragged = () => push.send(Buffer.alloc(3));
  void (async () => {
    for await (const [bytes] of pull) take(bytes!);
  })();
  void (async () => {
    for (;;) await push.send(await give());
  })();
} else {
  const request = new Request({ linger: 0 });
  const reply = new Reply({ linger: 0 });
  await reply.bind(to);
  request.connect(from);
  const ask = form === 'srsran' ? Buffer.from([0xff]) : Buffer.from(Uint32Array.of(100).buffer);
  void (async () => {
    for (;;) {
      await request.send(ask);
      const [bytes] = await request.receive();
      take(bytes!);
    }
  })();
  void (async () => {
    for await (const [asked] of reply) {
      await reply.send(await give(asked!.length >= 4 ? asked!.readUInt32LE(0) : Number.POSITIVE_INFINITY));
    }
  })();
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, ...numbers] = line.split(' ');
  const [first = 0, second = 0] = numbers.map(Number);
  if (what === 'lose') lose = first;
  else if (what === 'hold') hold = first;
  else if (what === 'delay') out.push(...new Array<number>(2 * first).fill(0));
  else if (what === 'block') block = first;
  else if (what === 'wait') waitMs = first;
  else if (what === 'stall') stalled = true;
  else if (what === 'extra') out.push(...new Array<number>(2 * first).fill(0.5));
  else if (what === 'nan') nan = true;
  else if (what === 'ragged') void ragged();
  else if (what === 'gain') gain = [first, second];
  else if (what === 'normal') [lose, hold, block, waitMs, stalled] = [0, 0, 1, 0, false];
  // A delay or held symbols leave with what comes next, extra ones at once.
  if (what === 'extra' || what === 'normal') wake();
  process.stdout.write('ok\n');
});
process.stdout.write('ready\n');
