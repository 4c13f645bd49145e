/** The way back in one process: the generation before is still there, and its modules are the current versions again. */

import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { createModuleIndex } from '../../src/release/module-index.ts';
import { createGenerations, type Generations } from '../../src/runtime/generations.ts';
import { createLocalListenerSource } from '../../src/runtime/servers/listener-source.ts';

interface Process {
  readonly generations: Generations;
  /** Makes a generation of these files, over those before, current; it is on probation. */
  readonly deploy: (generation: number, files: Readonly<Record<string, string>>) => Promise<void>;
  /** Exports of the entry. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what its app exports.
  readonly main: () => Record<string, any>;
}

function startProcess(t: TestContext): Process {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-generations-')));
  const sources = new Map<string, string>();
  sources.set('main.mjs', '');
  const index = createModuleIndex({ root, entry: 'main.mjs', readSource: (at) => sources.get(at) ?? null });
  const generations = createGenerations({
    source: createLocalListenerSource(),
    onRolledBack: () => undefined,
  });
  t.after(async () => {
    await generations.close();
    rmSync(root, { recursive: true, force: true });
  });
  return {
    generations,
    main: () => generations.namespace() ?? {},
    async deploy(generation, files) {
      for (const [name, text] of Object.entries(files)) sources.set(name, text);
      const { modules } = await index.update(generation === 1 ? undefined : Object.keys(files));
      const manifest = { entry: 'main.mjs', modules, assets: {} };
      const release = {
        id: `release ${generation}`,
        root,
        manifest,
        readCompiled: (module: Parameters<typeof index.compiledOf>[0]) => index.compiledOf(module).code,
        findMap: () => null,
      };
      await generations.prepare({ release, generation, ready: 'load', readyTimeoutMs: 0, health: null });
      await generations.commit(generation, { provisional: generation > 1 });
    },
  };
}

const main = `import { A, value } from './a.mjs'; import { dep } from './dep.mjs'; import { plain } from './plain.mjs';
  export const living = new A(); export const seen = () => [living.say(), value, dep, plain];
  import.meta.hot.accept('./dep.mjs');`;
const a = (version: number): string =>
  `export class A { say() { return ${version}; } only${version}() {} } export let value = ${version}; import.meta.hot.accept();`;
const dep = (version: number): string => `export const dep = 'dep${version}';`;
const plain = (version: number): string => `export const plain = 'plain${version}';`;
const first = { 'main.mjs': main, 'a.mjs': a(1), 'dep.mjs': dep(1), 'plain.mjs': plain(1) };

test('a rollback leads importers and living instances back, also over several releases on probation', async (t) => {
  const { deploy, generations, main: entry } = startProcess(t);
  await deploy(1, first);
  const before = entry();
  assert.deepEqual(before['seen'](), [1, 1, 'dep1', 'plain1']);
  await deploy(2, { 'a.mjs': a(2), 'dep.mjs': dep(2) });
  assert.deepEqual(before['seen'](), [2, 2, 'dep2', 'plain1']);
  await deploy(3, { 'a.mjs': a(3), 'plain.mjs': plain(3), 'dep.mjs': dep(3) });
  assert.deepEqual(entry()['seen'](), [3, 3, 'dep3', 'plain3']);
  generations.rollback(3);
  assert.equal(entry()['seen'], before['seen']);
  assert.deepEqual(before['seen'](), [1, 1, 'dep1', 'plain1']);
  await deploy(4, { 'a.mjs': a(4) });
  assert.deepEqual(entry()['seen'](), [4, 4, 'dep3', 'plain3']);
  generations.rollback(4);
  assert.deepEqual(before['seen'](), [1, 1, 'dep1', 'plain1']);
});

test('an order to go back that comes after its own fault is done already', async (t) => {
  const { deploy, generations, main: entry } = startProcess(t);
  await deploy(1, first);
  await deploy(2, { 'a.mjs': a(2) });
  generations.rollback(2);
  generations.rollback(2);
  assert.deepEqual(entry()['seen'](), [1, 1, 'dep1', 'plain1']);
  assert.throws(() => generations.rollback(1), { code: 'ERR_MIDFLIGHT_INVALID_STATE' });
});

test('a generation that was proved is what a rollback leads to', async (t) => {
  const { deploy, generations, main: entry } = startProcess(t);
  await deploy(1, first);
  const before = entry();
  await deploy(2, { 'a.mjs': a(2), 'dep.mjs': dep(2) });
  await generations.prove(2, 1_000);
  await deploy(3, { 'a.mjs': a(3), 'dep.mjs': dep(3) });
  assert.deepEqual(before['seen'](), [3, 3, 'dep3', 'plain1']);
  generations.rollback(3);
  assert.deepEqual(before['seen'](), [2, 2, 'dep2', 'plain1']);
});
