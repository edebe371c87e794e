/** The compose profile that watches: a real Prometheus and a real trace store beside the link, and what they know of it. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../shared/build/compiled.js';
import { SemanticLink } from '../../shared/client/link.js';
import { SPANS } from '../../shared/telemetry/index.js';
import { accuracyOf, sendAll, testImages, until } from '../integration/link.fixture.js';
import { failures } from './containers.fixture.js';
import { containerEngine } from './engine.fixture.js';
import { BUILD_LIMIT_MS, goTool } from './go-tools.fixture.js';
import { LOCAL_TAG, programImage } from './program-image.js';

const engine = await containerEngine();
const program = engine && (await goTool('docker-compose'));
const prometheusImage = engine && program && (await programImage(engine, 'prometheus', '/prometheus'));
const jaegerImage = engine && program && (await programImage(engine, 'jaeger'));
if (program) {
  // Its licence and its size keep it from being built here, and no registry of images is asked.
  process.stderr.write(
    '\n*** NOT TESTED: Grafana of the compose profile observe; its dashboards are, query by query ***\n\n',
  );
}

const SERVICES = ['transmitter-encoder', 'channel-emulator', 'receiver-decoder', 'teacher-cache'];
const file = path.join(projectRoot, 'deploy', 'compose', 'compose.yaml');
const project = `semlink-test-observe-${process.pid}`;
const environment = {
  COMPOSE_PROFILES: 'cpu,observe',
  SEMLINK_OTLP_ENDPOINT: 'http://jaeger:4318',
  SEMLINK_TRACE_SAMPLE_RATIO: '0.05',
  PROMETHEUS_IMAGE: prometheusImage ?? '',
  PROMETHEUS_VERSION: LOCAL_TAG,
  JAEGER_IMAGE: jaegerImage ?? '',
  JAEGER_VERSION: LOCAL_TAG,
  // Free ports, chosen by the engine.
  SEMLINK_PORT: '0',
  SEMLINK_CHANNEL_PORT: '0',
  SEMLINK_KNOWLEDGE_PORT: '0',
  PROMETHEUS_PORT: '0',
  JAEGER_PORT: '0',
};

async function compose(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program!, ['-p', project, '-f', file, ...args], {
    env: { ...process.env, ...environment },
    maxBuffer: 16 * 1024 ** 2,
  });
  return stdout.trim();
}

async function ask<T>(service: string, port: number, pathAndQuery: string): Promise<T> {
  const response = await fetch(`http://${await compose('port', service, `${port}`)}${pathAndQuery}`);
  if (!response.ok) throw new Error(`${service} answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { data: T }).data;
}
const prometheus = <T>(pathAndQuery: string) => ask<T>('prometheus', 9090, `/api/v1/${pathAndQuery}`);
const LIMIT_MS = 90_000;

describe.skipIf(!prometheusImage || !jaegerImage)('the compose profile observe', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await compose('up', '--detach', '--wait', ...SERVICES, 'prometheus', 'jaeger');
    const address = await compose('port', 'transmitter-encoder', '50051');
    const policy = { kind: 'fixed', channelUses: 32 } as const;
    const client = new SemanticLink({ address, linkId: 'watched', policy });
    // Over more than two scrapes, so that there is a rate.
    for (let round = 0; round < 4; round++) {
      const answers = await sendAll(client, await testImages(200));
      expect(failures(answers)).toEqual([]);
      expect(accuracyOf(answers)).toBeGreaterThan(0.75);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
    }
    await client.close();
  }, BUILD_LIMIT_MS);
  afterAll(() => compose('down', '--volumes', '--timeout', '5'), 60_000);

  it('scrapes every service that runs', async () => {
    const up = async () => {
      const { activeTargets } = await prometheus<{ activeTargets: { labels: { job: string }; health: string }[] }>(
        'targets?state=active',
      );
      return activeTargets.map(({ labels, health }) => `${labels.job} ${health}`).sort();
    };
    const expected = SERVICES.map((name) => `${name} up`).sort();
    await until(async () => (await up()).join() === expected.join(), LIMIT_MS);
    expect(await up()).toEqual(expected);
  });

  it('has loaded all rules, and none of them fails', async () => {
    const { groups } = await prometheus<{ groups: { file: string; rules: { name: string; health: string }[] }[] }>(
      'rules',
    );
    const files = new Set(groups.map((group) => path.basename(group.file)));
    expect([...files].sort()).toEqual(['alerts.yaml', 'objectives.yaml', 'recording.yaml']);
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.filter(({ health }) => health === 'err')).toEqual([]);
    expect(rules.length).toBeGreaterThan(50);
  });

  it('records the accuracy of the link', async () => {
    const query = encodeURIComponent('semlink:accuracy:ratio_rate5m{link="watched"}');
    const value = async () => {
      const { result } = await prometheus<{ result: { value: [number, string] }[] }>(`query?query=${query}`);
      return Number(result[0]?.value[1] ?? Number.NaN);
    };
    await until(async () => (await value()) > 0, LIMIT_MS);
    expect(await value()).toBeGreaterThan(0.75);
    expect(await value()).toBeLessThanOrEqual(1);
  });

  it('stores a sampled image as one trace through all services', async () => {
    const query = new URLSearchParams({ service: 'transmitter-encoder', operation: SPANS.transmit, limit: '5' });
    type Trace = {
      spans: { operationName: string; processID: string }[];
      processes: Record<string, { serviceName: string }>;
    };
    const whole = async () => {
      const traces = await ask<Trace[] | null>('jaeger', 16_686, `/api/traces?${query}`);
      return traces?.find(({ spans }) => spans.some(({ operationName }) => operationName === SPANS.decode));
    };
    await until(async () => (await whole()) !== undefined, LIMIT_MS);
    const { spans, processes } = (await whole())!;
    const through = spans.map(
      ({ operationName, processID }) => `${processes[processID]?.serviceName} ${operationName}`,
    );
    expect(through).toEqual(
      expect.arrayContaining([
        `transmitter-encoder ${SPANS.transmit}`,
        `channel-emulator ${SPANS.propagate}`,
        `receiver-decoder ${SPANS.decode}`,
      ]),
    );
  });

  it('ends every service with status 0 when it is stopped', async () => {
    await compose('stop');
    const lines = await compose('ps', '--all', '--format', 'json');
    const containers = lines.split('\n').map((line) => JSON.parse(line) as { Service: string; ExitCode: number });
    const ended = containers.filter(({ Service }) => SERVICES.includes(Service));
    expect(ended.map(({ Service, ExitCode }) => `${Service} ${ExitCode}`).sort()).toEqual(
      SERVICES.map((name) => `${name} 0`).sort(),
    );
  });
});
