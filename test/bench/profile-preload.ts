/**
 * Preload that profiles its process between two SIGUSR2: `node --import THIS service.js`. The profile goes into the folder
 * of SEMLINK_PROFILE_FOLDER, named by the process's id.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

const folder = process.env.SEMLINK_PROFILE_FOLDER;
if (isMainThread && folder) {
  const session = new Session();
  let running = false;
  const toggle = async (): Promise<void> => {
    if (!running) {
      running = true;
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 200 });
      await session.post('Profiler.start');
      return;
    }
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(path.join(folder, `${process.pid}.cpuprofile`), JSON.stringify(profile));
    session.disconnect();
    running = false;
  };
  process.on('SIGUSR2', () => void toggle());
}
