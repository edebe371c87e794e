import { describe, expect, it } from 'vitest';
import type { FrameStream } from './frame-stream-server.js';
import { Relay } from './relay.js';

/** Notes what becomes of it; the real one is tried by the services' own tests. */
class Noted {
  bytesInFlight = 0;
  readonly ends: string[] = [];
  cancel(reason: string): void {
    this.ends.push(`cancelled: ${reason}`);
  }
  close(): Promise<void> {
    this.ends.push('closed');
    return Promise.resolve();
  }
}

const upstream = (aborted = false) => ({ signal: { aborted } }) as FrameStream;

function relayOf() {
  const opened: Noted[] = [];
  let held = 0;
  const relay = new Relay<Noted>({
    open: () => {
      const stream = new Noted();
      opened.push(stream);
      return stream;
    },
    onOpen: () => {
      held++;
      return () => held--;
    },
    brokenOff: 'the source broke off',
  });
  return { relay, opened, held: () => held };
}

describe('Relay', () => {
  it('opens one stream a served one, at its first frame', () => {
    const { relay, opened, held } = relayOf();
    const [a, b, silent] = [relay.hop(), relay.hop(), relay.hop()];
    expect(opened).toHaveLength(0);
    const first = a.to(upstream());
    expect(a.to(upstream())).toBe(first);
    expect(b.to(upstream())).not.toBe(first);
    silent.end(upstream());
    expect([opened.length, held()]).toEqual([2, 2]);
  });

  it('adds up what is under way, of open streams alone', () => {
    const { relay } = relayOf();
    const [a, b] = [relay.hop(), relay.hop()];
    a.to(upstream()).bytesInFlight = 30;
    b.to(upstream()).bytesInFlight = 4;
    expect(relay.bytesInFlight).toBe(34);
    a.end(upstream());
    expect(relay.bytesInFlight).toBe(4);
  });

  it('ends a stream as the served one ended', () => {
    const { relay, opened, held } = relayOf();
    const [whole, broken] = [relay.hop(), relay.hop()];
    whole.to(upstream());
    broken.to(upstream());
    whole.end(upstream());
    broken.end(upstream(true));
    expect(opened.map(({ ends }) => ends)).toEqual([['closed'], ['cancelled: the source broke off']]);
    expect(held()).toBe(0);
  });
});
