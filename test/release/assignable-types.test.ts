/** Whether importers that stay can take a new version, by the project's own TypeScript. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkAssignable, type AssignableTypes } from '../../src/release/assignable-types.ts';
import { repository, type Files } from '../support/app.ts';

const settings = {
  strict: true,
  module: 'nodenext',
  target: 'es2022',
  types: [],
  rootDir: '.',
  noUnusedLocals: true,
};
const unchanged: Files = {
  'tsconfig.json': JSON.stringify({ compilerOptions: settings, include: ['src'] }),
  'package.json': '{ "type": "module" }',
  'src/clock.ts':
    'export class Clock { #ticks = 1; private zone = "UTC"; now(): number { return this.#ticks + this.zone.length; } }',
};

interface Fixture {
  check(signal?: AbortSignal): Promise<AssignableTypes>;
  readonly cache: string;
}

/** Two trees; what only one of them has, `null` says. */
function createFixture(
  t: TestContext,
  before: Files,
  after: Files,
  { exports, hasCompiler = true }: { readonly exports: readonly string[]; readonly hasCompiler?: boolean },
): Fixture {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-types-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const lay = (name: string, files: Files): string => {
    for (const [at, text] of Object.entries({ ...unchanged, ...files })) {
      mkdirSync(path.dirname(path.join(directory, name, at)), { recursive: true });
      writeFileSync(path.join(directory, name, at), text);
    }
    if (hasCompiler)
      symlinkSync(path.join(repository, 'node_modules'), path.join(directory, name, 'node_modules'));
    return path.join(directory, name);
  };
  const cache = path.join(directory, 'cache');
  mkdirSync(cache);
  const [old, fresh] = [lay('old', before), lay('new', after)];
  return {
    cache,
    check: (signal) =>
      checkAssignable({
        before: old,
        after: fresh,
        appFolder: '',
        modules: [{ path: 'src/routes.ts', exports }],
        differing: Object.keys(after),
        cacheDirectory: cache,
        timeoutMs: 60_000,
        signal,
      }),
  };
}

function summary(result: AssignableTypes): string[] {
  return result.status === 'checked'
    ? result.misfits.map(({ name, message }) => `${name}: ${message}`)
    : [result.reason];
}

const routes = (text: string): Files => ({ 'src/routes.ts': `import { Clock } from './clock.ts';\n${text}` });

test('what importers can go on with fits: a wider parameter, another constant, a class of an unchanged module', async (t) => {
  const before = routes(`
    export const VERSION = '1.0'; export const kName = Symbol('name');
    export function serve(path: string) { return new Clock().now() + path.length; }
    export const clock = new Clock();`);
  const after = routes(`
    export const VERSION = '1.1'; export const kName = Symbol('name');
    export function serve(path: string | URL, times = 1) { return new Clock().now() * times + String(path).length; }
    export const clock = new Clock(); export const more = 1;`);
  const { check } = createFixture(t, before, after, {
    exports: ['VERSION', 'kName', 'serve', 'clock', 'more'],
  });
  assert.deepEqual(summary(await check()), []);
});

test('each export whose type importers can not take is named, also where it is inferred from a module that changed', async (t) => {
  const before = {
    ...routes(`import { limit } from './limit.ts';
    export const inferred = () => limit(); export function serve(path: string) { return path.length; } export const same = 1;`),
    'src/limit.ts': 'export const limit = () => 5;',
  };
  const after = {
    ...routes(`import { limit } from './limit.ts';
    export const inferred = () => limit(); export function serve(path: URL) { return 5; } export const same = 2;`),
    'src/limit.ts': 'export const limit = () => "5";',
  };
  const { check, cache } = createFixture(t, before, after, { exports: ['inferred', 'serve', 'same'] });
  const found = summary(await check());
  assert.deepEqual(
    found.map((text) => text.split(':')[0]),
    ['inferred', 'serve'],
  );
  assert.match(found[1] ?? '', /'URL'/);
  // What was found once is not asked again.
  const known = readdirSync(cache);
  assert.equal(known.length, 1);
  assert.deepEqual(summary(await check()), found);
});

test('a class of the module itself fits by what others see of it, and not where that differs', async (t) => {
  const text = (inside: string, result: string): Files =>
    routes(`export class Router { #routes = ${inside}; private size = ${inside}; constructor(protected readonly name: string) {}
      private trim() { return this.#routes; } find(): ${result} { return null!; } }
      export const create = () => new Router('a');`);
  const names = { exports: ['Router', 'create'] };
  assert.deepEqual(
    summary(await createFixture(t, text('1', 'number'), text('"a"', 'number'), names).check()),
    [],
  );
  const found = summary(await createFixture(t, text('1', 'number'), text('1', 'string'), names).check());
  assert.deepEqual(
    found.map((each) => each.split(':')[0]),
    ['Router', 'create'],
  );
  assert.match(found.join('\n'), /Type 'string' is not assignable to type 'number'/);
});

test('where there is no compiler, or it stops before the check, that is said', async (t) => {
  const files = routes('export const a = 1;');
  const without = createFixture(t, files, files, { exports: ['a'], hasCompiler: false });
  assert.match(summary(await without.check()).join(), /no TypeScript is installed/);
  const broken = { ...files, 'src/clock.ts': 'export class {' };
  const stopped = createFixture(t, files, broken, { exports: ['a'] });
  assert.match(summary(await stopped.check()).join(), /tsc did not come to it: .*clock\.ts/);
});

test('the compiler ends when nobody wants the plan any more, and works without a cache', async (t) => {
  const { check, cache } = createFixture(t, routes('export let a = 1;'), routes('export let a = 2;'), {
    exports: ['a'],
  });
  rmSync(cache, { recursive: true });
  await assert.rejects(check(AbortSignal.abort()), { code: 'ERR_MIDFLIGHT_BUILD_ABORTED' });
  assert.deepEqual(readdirSync(cache), []);
});
