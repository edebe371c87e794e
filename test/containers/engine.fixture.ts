/** The docker engine that the container suite runs on, and the images of this checkout. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ContainerRuntimeClient, getContainerRuntimeClient } from 'testcontainers';
import { projectRoot } from '../../shared/build/compiled.js';
import { semlinkVersion } from '../../shared/config/index.js';

// Its helper container comes from a registry, which is not always to be had; what a test starts it stops itself.
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';

/** Plain JavaScript, for it is used before anything is compiled. */
const { imagesOf } = (await import(pathToFileURL(path.join(projectRoot, 'deploy', 'docker', 'images.mjs')).href)) as {
  imagesOf(root: string): { target: string; engine: boolean }[];
};

/** What deploy/docker/build.mjs builds without flags; `engine`: models are computed in it. */
export const IMAGES = imagesOf(projectRoot);
export const TARGETS = IMAGES.map(({ target }) => target);

export const imageOf = (target: string): string => `semlink/${target}:${semlinkVersion()}`;
/** Of the flavour for NVIDIA GPUs, which `deploy/docker/build.mjs --gpu` builds. */
export const gpuImageOf = (target: string): string => `${imageOf(target)}-gpu`;

/**
 * The engine, where one answers and holds images of the code that is being tested; undefined, with one loud line, where
 * not. With SEMLINK_REQUIRE_DOCKER=1 that is a failure.
 */
export async function containerEngine(): Promise<ContainerRuntimeClient | undefined> {
  try {
    const client = await getContainerRuntimeClient();
    for (const target of TARGETS) await requireImage(client, imageOf(target));
    return client;
  } catch (error) {
    const reason = (error as Error).message;
    if (process.env.SEMLINK_REQUIRE_DOCKER === '1') throw new Error(`the container suite cannot run: ${reason}`);
    process.stderr.write(`\n*** THE CONTAINER TESTS ARE SKIPPED: ${reason} ***\n\n`);
    return undefined;
  }
}

/**
 * The engine, where it also holds images of the GPU flavour of the code that is being tested; undefined, with one loud
 * line, where not: nothing builds gigabytes unasked. With SEMLINK_REQUIRE_GPU_IMAGES=1 that is a failure.
 */
export async function gpuImageEngine(targets: readonly string[]): Promise<ContainerRuntimeClient | undefined> {
  try {
    const client = await getContainerRuntimeClient();
    for (const target of targets) await requireImage(client, gpuImageOf(target), GPU_BUILD);
    return client;
  } catch (error) {
    const reason = (error as Error).message;
    if (process.env.SEMLINK_REQUIRE_GPU_IMAGES === '1') throw new Error(`the GPU images cannot be tested: ${reason}`);
    process.stderr.write(`\n*** THE TESTS OF THE GPU IMAGES ARE SKIPPED: ${reason} ***\n\n`);
    return undefined;
  }
}

const BUILD = 'run "npm run setup" and "node deploy/docker/build.mjs"';
const GPU_BUILD = 'run "npm run setup -- --gpu" and "node deploy/docker/build.mjs --gpu"';

/** What the compiled code was made from, as the set-up noted it and the build put it on the images. */
function inputsOfBuild(): string | undefined {
  try {
    const text = readFileSync(path.join(projectRoot, 'dist', '.semlink.json'), 'utf8');
    return (JSON.parse(text) as { inputs?: string }).inputs;
  } catch {
    return undefined;
  }
}

async function requireImage(client: ContainerRuntimeClient, image: string, build = BUILD): Promise<void> {
  let labels: Record<string, string>;
  try {
    labels = (await client.container.dockerode.getImage(image).inspect()).Config.Labels;
  } catch {
    throw new Error(`there is no image ${image}: ${build}`);
  }
  if (labels['org.semlink.inputs'] !== inputsOfBuild()) throw new Error(`${image} is of other sources: ${build}`);
}
