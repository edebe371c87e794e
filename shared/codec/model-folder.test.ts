import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSafetensors } from '../tensor/safetensors.js';
import type { Manifest } from './manifest.js';
import { chooseModel, graphFolder, graphPorts, openModel, openModels, publishModel } from './model-folder.js';
import { decoderGraph, encoderGraph } from './network-graph.js';
import { randomWeights, SMALL_SPEC, smallManifest } from './small-model.fixture.js';

const weights = randomWeights(SMALL_SPEC, 5);
const FILES = ['decoder/saved_model.pb', 'encoder/saved_model.pb', 'weights.safetensors'];

describe('model folder', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(path.join(os.tmpdir(), 'semlink-models-'));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it('is published whole and opens as what it was', async () => {
    const published = await publishModel(parent, smallManifest(), weights);
    expect(published.folder).toBe(path.join(parent, 'small-1'));
    expect(await openModel(published.folder)).toEqual(published);
    expect(Object.keys(published.manifest.files).sort()).toEqual(FILES);
    const read = (name: string) => readFileSync(path.join(published.folder, name));
    for (const [name, hash] of Object.entries(published.manifest.files)) {
      expect(createHash('sha256').update(read(name)).digest('hex')).toBe(hash);
    }
    const { tensors } = readSafetensors(read('weights.safetensors'));
    expect(tensors).toEqual(weights);
    expect(read('encoder/saved_model.pb')).toEqual(Buffer.from(encoderGraph(SMALL_SPEC, tensors)));
    expect(read('decoder/saved_model.pb')).toEqual(Buffer.from(decoderGraph(SMALL_SPEC, tensors)));
    expect(graphFolder(published, 'encoder')).toBe(path.join(published.folder, 'encoder'));
    const modeOf = (folder: string) => statSync(folder).mode & 0o777;
    expect(modeOf(published.folder)).toBe(modeOf(path.join(published.folder, 'encoder')));
    // Nothing of the making is left.
    expect(readdirSync(parent)).toEqual(['small-1']);
  });

  it('is the same bytes when it is published again, in place of the old one', async () => {
    const first = await publishModel(parent, smallManifest(), weights);
    const bytes = () => [...FILES, 'manifest.json'].map((name) => readFileSync(path.join(first.folder, name), 'hex'));
    const before = bytes();
    writeFileSync(path.join(first.folder, 'left-over'), 'of an older version');
    await publishModel(parent, smallManifest(), weights);
    expect(bytes()).toEqual(before);
    expect(readdirSync(first.folder)).not.toContain('left-over');
  });

  it('is not published when the manifest is bad or a weight is missing, and leaves nothing behind', async () => {
    await expect(publishModel(parent, { ...smallManifest(), version: '../elsewhere' }, weights)).rejects.toThrow(
      /version/,
    );
    const without = new Map(weights);
    without.delete('decoder/2/bias');
    await expect(publishModel(parent, smallManifest(), without)).rejects.toThrow(/"decoder\/2\/bias" is missing/);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('names the file in which a byte was flipped, or that is missing or empty', async () => {
    const { folder } = await publishModel(parent, smallManifest(), weights);
    for (const name of FILES) {
      const file = path.join(folder, name);
      const whole = readFileSync(file);
      for (const at of [0, Math.floor(whole.length / 2), whole.length - 1]) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1;
        writeFileSync(file, damaged);
        await expect(openModel(folder)).rejects.toThrow(`model small-1: ${name} is damaged`);
      }
      writeFileSync(file, '');
      await expect(openModel(folder)).rejects.toThrow(`model small-1: ${name} is damaged`);
      rmSync(file);
      await expect(openModel(folder)).rejects.toThrow(`model small-1: ${name} is missing from ${folder}`);
      writeFileSync(file, whole);
    }
    await expect(openModel(folder)).resolves.toMatchObject({ folder });
  });

  it('says what is wrong with its manifest', async () => {
    const { folder, manifest } = await publishModel(parent, smallManifest(), weights);
    const file = path.join(folder, 'manifest.json');
    writeFileSync(file, '{"format": ');
    await expect(openModel(folder)).rejects.toThrow(`${file} is not a valid model manifest: SyntaxError`);
    writeFileSync(file, JSON.stringify({ ...manifest, network: { ...manifest.network, height: 'tall' } }));
    await expect(openModel(folder)).rejects.toThrow(/is not a valid model manifest: .*\n?.*network\.height/);
    rmSync(file);
    await expect(openModel(folder)).rejects.toThrow(`no model in ${folder}: its manifest.json cannot be read`);
  });

  it('cannot be opened with a file that its manifest does not vouch for', async () => {
    const { folder, manifest } = await publishModel(parent, smallManifest(), weights);
    const { 'encoder/saved_model.pb': _, ...files } = manifest.files;
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify({ ...manifest, files }));
    await expect(openModel(folder)).rejects.toThrow(/encoder\/saved_model\.pb/);
  });

  it('stands beside others, which are opened by version in order of name', async () => {
    for (const version of ['m-b', 'm-a', 'm-c']) await publishModel(parent, smallManifest(version), weights);
    mkdirSync(path.join(parent, 'notes'));
    writeFileSync(path.join(parent, 'README'), 'no folder');
    cpSync(path.join(parent, 'm-a'), path.join(parent, '.publish-abandoned'), { recursive: true });
    const models = await openModels(parent);
    expect([...models.keys()]).toEqual(['m-a', 'm-b', 'm-c']);
    for (const [version, model] of models) {
      expect(model.folder).toBe(path.join(parent, version));
      expect(model.manifest.version).toBe(version);
    }
  });

  it('takes the model asked for, else the one that the file `default` names, else the last by name', async () => {
    for (const version of ['m-a', 'm-b']) await publishModel(parent, smallManifest(version), weights);
    const models = await openModels(parent);
    const chosen = async (wanted: string) => (await chooseModel(parent, models, wanted)).manifest.version;
    expect([await chosen(''), await chosen('m-a')]).toEqual(['m-b', 'm-a']);
    writeFileSync(path.join(parent, 'default'), 'm-a\n');
    expect([await chosen(''), await chosen('m-b')]).toEqual(['m-a', 'm-b']);
    await expect(chosen('m-x')).rejects.toThrow(`no model "m-x" in ${parent}; there are m-a, m-b`);
    writeFileSync(path.join(parent, 'default'), 'm-y\n');
    await expect(chosen('')).rejects.toThrow(/no model "m-y".*file "default" names/);
  });

  it('must be called as its manifest says, or two folders could claim one version', async () => {
    const { folder } = await publishModel(parent, smallManifest('m-a'), weights);
    renameSync(folder, path.join(parent, 'm-b'));
    await expect(openModels(parent)).rejects.toThrow(/m-b.*"m-a"|"m-a".*m-b/);
  });

  it('says so when there is none, or no folder', async () => {
    await expect(openModels(parent)).rejects.toThrow(`no published model in ${parent}; train one`);
    const missing = path.join(parent, 'nowhere');
    await expect(openModels(missing)).rejects.toThrow(`the model folder ${missing} cannot be read`);
  });

  it('has ports of its own sizes', () => {
    const { network } = smallManifest() as Manifest;
    expect(graphPorts(network, 'encoder')).toMatchObject({
      inputs: [
        { name: 'rgb', shape: [9, 11, 3] },
        { name: 'snr_db', shape: [1] },
        { name: 'channel_uses', shape: [1] },
      ],
      output: 'symbols',
    });
    expect(graphPorts(network, 'decoder')).toMatchObject({
      inputs: [
        { name: 'symbols', shape: [8, 2] },
        { name: 'snr_db', shape: [1] },
        { name: 'channel_uses', shape: [1] },
      ],
      output: 'probabilities',
    });
  });
});
