/** `import.meta.hot` type-checks in an app that has the package installed, as the package's own declarations have it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { repository } from '../docs/markdown.ts';

/** What the compiler says of an app in which `node_modules/midflight` is this package; empty where all is right. */
function check(t: TestContext, source: string, types: readonly string[] = []): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-types-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(path.join(directory, 'node_modules'));
  symlinkSync(repository, path.join(directory, 'node_modules', 'midflight'));
  const compilerOptions = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, types };
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  writeFileSync(path.join(directory, 'app.ts'), source);
  const tsc = path.join(repository, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: directory, encoding: 'utf8' }).stdout;
}

const rightUses = `
  export const rules = 1;
  if (import.meta.hot) {
    const { hot } = import.meta;
    hot.accept();
    hot.accept((next) => next?.['rules']);
    hot.accept('./dep.js', (dep) => dep?.['name']);
    hot.accept(['./a.js', './b.js'], ([a, b]) => [a, b]);
    hot.acceptExports('rules');
    hot.acceptExports(['rules'], () => undefined);
    hot.data['count'] = 1;
    hot.dispose(async (data) => void (data['count'] = 2));
    hot.prune(() => undefined);
    hot.decline();
    hot.invalidate();
    hot.invalidate('why');
    hot.on('vite:beforeUpdate', ({ updates }) => updates.map(({ path, acceptedPath }) => path + acceptedPath));
    hot.on('vite:error', ({ err }) => err.stack.length);
    hot.on('mine', (payload: unknown) => payload);
    hot.send('mine', { any: 1 });
  }
`;

test('the right uses pass in an app that imports something from midflight', (t) => {
  assert.equal(check(t, `import { state } from 'midflight'; state('a', 1); ${rightUses}`), '');
});

test('a module that imports nothing has the types by midflight/types', (t) => {
  assert.equal(check(t, rightUses, ['midflight/types']), '');
  assert.equal(check(t, `/// <reference types="midflight/types" />\n${rightUses}`), '');
});

test('without any of both there is no import.meta.hot', (t) => {
  assert.match(check(t, 'import.meta.hot?.accept(); export {};'), /Property 'hot' does not exist/);
});

test('the wrong uses are errors', (t) => {
  const output = check(
    t,
    `
    // @ts-expect-error It is absent under plain node.
    import.meta.hot.accept();
    const hot = import.meta.hot!;
    // @ts-expect-error
    hot.accept(1);
    // @ts-expect-error One callback for one dependency gets no array.
    hot.accept('./dep.js', ([first]) => first);
    // @ts-expect-error
    hot.accept(['./dep.js'], 'callback');
    // @ts-expect-error
    hot.acceptExports();
    // @ts-expect-error
    hot.dispose();
    // @ts-expect-error It is one object for the version's whole life.
    hot.data = {};
    // @ts-expect-error
    hot.decline('why');
    // @ts-expect-error
    hot.on('vite:beforeUpdate', ({ paths }) => paths);
    // @ts-expect-error
    hot.on('vite:beforeUpdate');
    // @ts-expect-error
    hot.reload();
    export {};`,
    ['midflight/types'],
  );
  assert.equal(output, '');
});

test('events of the app have the payload that it declares', (t) => {
  const declaration = `declare module 'midflight/types' { interface HotEventMap { 'rules:load': { count: number } } }`;
  const output = check(
    t,
    `import type {} from 'midflight/types'; ${declaration}
    import.meta.hot?.on('rules:load', ({ count }) => count.toFixed());
    // @ts-expect-error
    import.meta.hot?.on('rules:load', ({ size }) => size);`,
  );
  assert.equal(output, '');
});

test('the types of the package can be imported by name', (t) => {
  const source = `import type { HotContext, HotEventPayload, ModuleNamespace } from 'midflight';
    import type { Runtime, PreparedSwap } from 'midflight/runtime';
    export function accept(hot: HotContext, take: (module: ModuleNamespace | undefined) => void): void { hot.accept(take); }
    export type Pruned = HotEventPayload<'vite:beforePrune'>['paths'][number];
    export const swap = async (runtime: Runtime): Promise<PreparedSwap> => runtime.prepare(['a.ts']);`;
  assert.equal(check(t, source, [path.join(repository, 'node_modules/@types/node')]), '');
});
