// Beyond this the wall clock was set; below it, the two clocks merely tick apart and are left to each other.
const TOLERANCE_NANOS = 5_000_000n;

let offset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/**
 * Now, nanoseconds since the Unix epoch. Node's own wall clock has whole milliseconds, too coarse for stages of some
 * 100 us: this is the monotonic clock, anchored to the wall clock and anchored again when that was set.
 */
export function nowUnixNano(): bigint {
  const now = process.hrtime.bigint() + offset;
  const wall = BigInt(Date.now()) * 1_000_000n;
  const ahead = now - wall;
  if (ahead > TOLERANCE_NANOS || ahead < -TOLERANCE_NANOS) {
    offset += wall - now;
    return wall;
  }
  return now;
}
