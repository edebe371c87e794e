/** A whole link with its console as processes, and a real browser. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type ServiceProcess, startServiceProcess } from '../../deploy/local/processes.js';
import { SERVICES, type ServiceName } from '../../shared/telemetry/index.js';
import { killAll, startTestLink, type TestLink } from '../integration/link.fixture.js';

const browsers = [
  process.env.SEMLINK_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];
/** A Chromium of this machine; undefined: there is none. */
export const chromiumPath = browsers.find((path) => path && existsSync(path));

if (chromiumPath === undefined) {
  process.stderr.write(
    '\n*** NO CHROMIUM: the tests of the console in a browser are SKIPPED. Debian: apt-get install chromium; elsewhere' +
      ' name one in SEMLINK_CHROMIUM. ***\n\n',
  );
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface ConsoleLink {
  readonly link: TestLink;
  readonly console: ServiceProcess<'console'>;
  /** `http://host:port/`. */
  readonly url: string;
  /** Kills a service. */
  kill(role: ServiceName): Promise<void>;
  /** Starts it again on its old addresses. */
  restart(role: ServiceName): Promise<void>;
  /** Ends all of it; whether what was not killed ended with status 0. */
  stop(): Promise<boolean>;
}

/** @param env of all of them; addresses are free ports */
export async function startConsoleLink(env: NodeJS.ProcessEnv = {}): Promise<ConsoleLink> {
  const link = await startTestLink(
    {
      'channel-emulator': { 'channel.model': 'awgn', 'channel.snrDb': 12, reconnectWaitMs: 500 },
      'transmitter-encoder': { reconnectWaitMs: 500 },
    },
    env,
  );
  const running = { ...link.processes };
  const web = await startConsole(
    {
      '--transmitter': running['transmitter-encoder'].address,
      '--emulator': running['channel-emulator'].address,
      '--watch-transmitter': running['transmitter-encoder'].metricsAddress!,
      '--watch-emulator': running['channel-emulator'].metricsAddress!,
      '--watch-receiver': running['receiver-decoder'].metricsAddress!,
    },
    { env },
  ).catch(async (error: unknown) => {
    killAll(Object.values(running));
    throw error;
  });
  return {
    link,
    console: web,
    url: `http://${web.address}/`,
    async kill(role) {
      running[role].process.kill('SIGKILL');
      await running[role].ended;
    },
    async restart(role) {
      const { address, metricsAddress } = running[role];
      running[role] = await startServiceProcess(role, ['--listen', address, '--metrics-listen', metricsAddress!], {
        env,
        onLog: (line) => link.log[role].push(line),
      });
    },
    async stop() {
      link.emulator.close();
      const statuses = [await web.stop()];
      for (const role of [...SERVICES]) statuses.push(await running[role].stop());
      return statuses.every((status) => status === 0 || status === 'SIGKILL');
    },
  };
}

/** A console alone; without flags of services it has a link that is down. */
export function startConsole(
  flags: Record<string, string> = {},
  { env = {} }: { env?: NodeJS.ProcessEnv } = {},
): Promise<ServiceProcess<'console'>> {
  const nobody = '127.0.0.1:1';
  const all = {
    '--http-listen': '127.0.0.1:0',
    '--metrics-listen': '127.0.0.1:0',
    '--transmitter': nobody,
    '--emulator': nobody,
    '--watch-transmitter': nobody,
    '--watch-emulator': nobody,
    '--watch-receiver': nobody,
    ...flags,
  };
  return startServiceProcess('console', Object.entries(all).flat(), { env, onLog: () => {} });
}

/** A figure of a service as the page has it: its text, and the raw value with where it is from. */
export async function figureOf(page: Page, role: ServiceName, figure: string) {
  const element = page.locator(`[data-role="${role}"] [data-figure="${figure}"]`);
  const [text, value, metric, service, labelled] = await Promise.all([
    element.textContent(),
    ...['value', 'metric', 'service', 'labelled'].map((name) => element.getAttribute(`data-${name}`)),
  ]);
  return { text, value, metric, service, labelled };
}

/** State of a service as the page has it. */
export function stateOf(page: Page, role: ServiceName): Promise<string | null> {
  return page.locator(`[data-role="${role}"]`).getAttribute('data-state');
}
