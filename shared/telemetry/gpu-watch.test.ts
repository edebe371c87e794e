import { describe, expect, it } from 'vitest';
import { GpuWatch } from './gpu-watch.js';

describe('GpuWatch', () => {
  it('reads what nvidia-smi says of each GPU', async () => {
    const watch = new GpuWatch(async () => '0, 1024, 35\n1, 0, 100\n');
    await watch.refresh();
    expect(watch.readings()).toEqual([
      { gpu: '0', memoryUsedBytes: 1024 ** 3, busy: 0.35 },
      { gpu: '1', memoryUsedBytes: 0, busy: 1 },
    ]);
  });

  it('leaves out what a driver does not tell, and anything that is no reading', async () => {
    const watch = new GpuWatch(async () => '0, [N/A], [N/A]\nno devices were found\n2, 3, 4\n');
    await watch.refresh();
    expect(watch.readings().map(({ gpu }) => gpu)).toEqual(['2']);
  });

  it('has no readings where there is no such program, and asks once at a time', async () => {
    let asked = 0;
    const watch = new GpuWatch(async () => {
      asked++;
      throw new Error('spawn nvidia-smi ENOENT');
    });
    await Promise.all([watch.refresh(), watch.refresh()]);
    expect(watch.readings()).toEqual([]);
    expect(asked).toBe(1);
  });
});
