import { describe, expect, it } from 'vitest';
import {
  Code,
  codeName,
  invalidArgument,
  SemlinkError,
  showValue,
  toFrameError,
  toGrpcStatus,
  toSemlinkError,
} from './errors.js';

describe('errors', () => {
  it('says what, the value, and what to do', () => {
    const error = invalidArgument('snr_db', Number.NaN, 'use -40 to 60');
    expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, message: 'snr_db is NaN; use -40 to 60' });
  });

  it('gives nothing away of an unknown error, and keeps its cause here', () => {
    const cause = new Error('password is hunter2');
    const known = toSemlinkError(cause);
    expect(known.code).toBe(Code.INTERNAL);
    expect(known.cause).toBe(cause);
    expect(JSON.stringify(toGrpcStatus(cause))).not.toContain('hunter2');
    expect(toFrameError(cause, 'channel-emulator').message).not.toContain('hunter2');
    expect(toSemlinkError('thrown text').code).toBe(Code.INTERNAL);
  });

  it('keeps the code and the words of a status from a peer, and explains an oversize message', () => {
    const status = Object.assign(new Error('5 NOT_FOUND: no such model'), { code: 5, details: 'no such model' });
    expect(toSemlinkError(status)).toMatchObject({ code: Code.NOT_FOUND, message: 'no such model' });
    const oversize = Object.assign(new Error('x'), { code: 8, details: 'Received message larger than max (9 vs 4)' });
    expect(toSemlinkError(oversize).message).toMatch(
      /message of 9 bytes is over the limit of 4 bytes; send fewer frames/,
    );
    // A node error has a code too, but not a gRPC one.
    expect(toSemlinkError(Object.assign(new Error('x'), { code: 'ENOENT' })).code).toBe(Code.INTERNAL);
  });

  it('shows values briefly', () => {
    expect(showValue(12n)).toBe('12');
    expect(showValue(undefined)).toBe('undefined');
    expect(showValue('x'.repeat(1000)).length).toBeLessThan(130);
    expect(showValue({ toJSON: () => 1n })).toBe('[object Object]');
    expect(codeName(14)).toBe('UNAVAILABLE');
    expect(codeName(99)).toBe('CODE_99');
    expect(new SemlinkError(Code.OK, 'x').name).toBe('SemlinkError');
  });
});
