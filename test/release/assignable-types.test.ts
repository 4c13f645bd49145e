/** Whether importers that stay can take a new version, by the project's own TypeScript. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  checkAssignable,
  type AssignableOptions,
  type AssignableTypes,
} from '../../src/release/assignable-types.ts';
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

interface Wanted extends Partial<Pick<AssignableOptions, 'appFolder' | 'evaluated' | 'differing'>> {
  readonly exports: readonly string[];
  readonly hasCompiler?: boolean;
  /** Packages of the workspace that are linked. */
  readonly links?: readonly string[];
}

/** Two trees; what only one of them has, `null` says. */
function createFixture(
  t: TestContext,
  before: Files,
  after: Files,
  {
    exports,
    hasCompiler = true,
    appFolder = '',
    evaluated = Object.keys(after),
    differing = [],
    links = [],
  }: Wanted,
): Fixture {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-types-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const lay = (name: string, files: Files): string => {
    for (const [at, text] of Object.entries({ ...unchanged, ...files })) {
      mkdirSync(path.dirname(path.join(directory, name, at)), { recursive: true });
      writeFileSync(path.join(directory, name, at), text);
    }
    const packages = path.join(directory, name, 'node_modules');
    if (hasCompiler) mkdirSync(packages);
    if (hasCompiler)
      symlinkSync(path.join(repository, 'node_modules/typescript'), path.join(packages, 'typescript'));
    for (const link of links) symlinkSync(`../packages/${link}`, path.join(packages, link));
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
        appFolder,
        modules: [{ path: path.posix.join(appFolder, 'src/routes.ts'), exports }],
        evaluated,
        differing,
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

test('types that come from another package of the workspace, by an alias, or from a declaration beside built code, are those of each side', async (t) => {
  const text = (result: string, type: string): Files => ({
    'apps/api/src/routes.ts': `import { limit } from 'lib'; import { word } from '#words'; import { built } from 'built';
      import type { Alias } from '@app/alias.ts'; export const same = () => [limit, word].length;
      export const ofPackage = () => limit(); export const ofImports = () => word();
      export const ofPaths = (): Alias => null!; export const ofBuilt = () => built();`,
    'packages/lib/index.ts': `export { limit } from './limit.ts';`,
    'packages/lib/limit.ts': `export const limit = () => ${result};`,
    'packages/built/index.js': `export const built = () => ${result};`,
    'packages/built/index.d.ts': `export declare const built: () => ${type};`,
    'apps/api/src/words.ts': `export const word = () => ${result};`,
    'apps/api/src/alias.ts': `export type Alias = ${type};`,
    'apps/api/package.json': '{ "name": "api", "type": "module", "imports": { "#words": "./src/words.ts" } }',
    'apps/api/tsconfig.json': JSON.stringify({
      compilerOptions: { ...settings, paths: { '@app/*': ['./src/*'] } },
    }),
    'packages/lib/package.json': '{ "name": "lib", "type": "module", "exports": "./index.ts" }',
    'packages/built/package.json': '{ "name": "built", "type": "module", "exports": "./index.js" }',
  });
  const wanted = {
    exports: ['same', 'ofPackage', 'ofImports', 'ofPaths', 'ofBuilt'],
    appFolder: 'apps/api',
    evaluated: ['apps/api/src/routes.ts', 'packages/lib/index.ts', 'packages/built/index.js'],
    differing: [
      'packages/lib/limit.ts',
      'apps/api/src/words.ts',
      'apps/api/src/alias.ts',
      'packages/built/index.d.ts',
    ],
    links: ['lib', 'built'],
  };
  const found = summary(await createFixture(t, text('5', 'number'), text('"5"', 'string'), wanted).check());
  assert.deepEqual(
    found.map((each) => each.split(':')[0]),
    ['ofPackage', 'ofImports', 'ofPaths', 'ofBuilt'],
  );
});

test('a source in which only types differ has them on each side, also for what imports its types', async (t) => {
  const text = (field: string): Files => ({
    ...routes(
      `import { start } from './start.ts'; export const serve = (): Parameters<typeof start>[0] => null!;`,
    ),
    'src/options.ts': `export interface Options { ${field} }`,
    'src/start.ts': `import type { Options } from './options.js'; export const start = (options: Options) => options;`,
  });
  const wanted = { exports: ['serve'], evaluated: ['src/routes.ts'], differing: ['src/options.ts'] };
  const found = summary(await createFixture(t, text('port: number'), text('port: string'), wanted).check());
  assert.match(found.join(), /^serve: .*Type 'string' is not assignable to type 'number'/s);
  assert.deepEqual(
    summary(await createFixture(t, text('port: number'), text('port: 80'), wanted).check()),
    [],
  );
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
