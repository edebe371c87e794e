/** Nanoseconds since the Unix epoch as OpenTelemetry takes them: a double alone cannot hold today's date that exactly. */
export function toHrTime(unixNano: bigint): [seconds: number, nanos: number] {
  return [Number(unixNano / 1_000_000_000n), Number(unixNano % 1_000_000_000n)];
}
