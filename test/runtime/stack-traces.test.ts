/** Error.prepareStackTrace, mapped: what code sees of it is what Node gives, but for the positions. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { unmapStackTraces } from '../../src/runtime/stack-traces.ts';
import { commandLine, repository } from '../support/app.ts';
import { createApp, graphOf, run, type App } from './module-graph-fixture.ts';

const { prepareStackTrace: nodes } = Error;

const source = `export const fail = (a?: { some: string }): Error => new Error('x');`;
const position = `main.ts:1:${source.indexOf('new Error') + 1}`;
type Fail = () => Error;
type Prepare = NonNullable<typeof Error.prepareStackTrace>;

async function load(app: App): Promise<Fail> {
  return (await run(await graphOf(app)))['fail'] as Fail;
}

/** Sets Error.prepareStackTrace while `act` runs, as packages do. */
function withPrepare<Result>(prepare: Prepare | undefined, act: () => Result): Result {
  const before = Error.prepareStackTrace;
  Error.prepareStackTrace = prepare as Prepare;
  try {
    return act();
  } finally {
    Error.prepareStackTrace = before;
  }
}

function firstFrame(error: Error): string {
  return error.stack?.split('\n')[1] ?? '';
}

test('code gets call sites with the positions of the source', async (t) => {
  const app = createApp(t, { 'main.ts': source });
  const fail = await load(app);
  const [site] = withPrepare(
    (_, sites) => sites,
    () => fail().stack as unknown as NodeJS.CallSite[],
  );
  assert.equal(site?.getFileName(), path.join(app.root, 'main.ts'));
  assert.equal(`main.ts:${site?.getLineNumber()}:${site?.getColumnNumber()}`, position);
  assert.equal((site as { toString(): string }).toString(), `fail (${app.root}/${position})`);
  assert.equal(site?.getFunctionName(), 'fail');
  assert.equal(Object.keys(site ?? {}).length, 0);
});

test('what code sets is what it gets back', async (t) => {
  await load(createApp(t, { 'main.ts': source }));
  const initial = Error.prepareStackTrace;
  for (const value of [() => 'own', undefined, null, 'x', initial]) {
    Error.prepareStackTrace = value as never;
    assert.equal(Error.prepareStackTrace, value);
  }
  assert.equal(initial?.name, nodes?.name);
  assert.equal(Object.keys(Error).includes('prepareStackTrace'), false);
});

test('traces are mapped after code has set another function, and after it took that back', async (t) => {
  const app = createApp(t, { 'main.ts': source });
  const fail = await load(app);
  const nested = withPrepare(
    (error, sites) => `own ${String(nodes?.(error, sites))}`,
    () => firstFrame(fail()),
  );
  const undone = withPrepare(undefined, () => firstFrame(fail()));
  for (const frame of [nested, undone, firstFrame(fail())])
    assert.equal(frame, `    at fail (${app.root}/${position})`);
});

test('traces are left to Node again', async (t) => {
  const app = createApp(t, { 'main.ts': source });
  const fail = await load(app);
  unmapStackTraces();
  assert.equal(Error.prepareStackTrace, nodes);
  assert.notEqual(firstFrame(fail()), `    at fail (${app.root}/${position})`);
  const again = await load(app);
  assert.equal(firstFrame(again()), `    at fail (${app.root}/${position})`);
});

test('a class that extends Error has its own function', async (t) => {
  await load(createApp(t, { 'main.ts': source }));
  const initial = Error.prepareStackTrace;
  class Own extends Error {}
  Own.prepareStackTrace = () => 'own';
  assert.deepEqual([Error.prepareStackTrace, Own.prepareStackTrace('' as never, [])], [initial, 'own']);
  assert.match(new Own('x').stack ?? '', /^Error: x\n {4}at /);
});

test('a trace without code of the app is formatted as Node does', async (t) => {
  await load(createApp(t, { 'main.ts': source }));
  const errors = [
    new TypeError('a\n    at b (c:1:1)', { cause: new Error('d') }),
    Object.assign(new Error('e'), { name: 'F' }),
    new AggregateError([new Error('g')], 'h'),
  ];
  for (const error of errors) {
    const sites = withPrepare(
      (_, list) => list,
      () => {
        const own = { name: error.name, message: error.message };
        Error.captureStackTrace(own);
        return (own as { stack?: unknown }).stack as NodeJS.CallSite[];
      },
    );
    const [, ...frames] = error.stack?.split(/\n(?= {4}at (?!b \())/) ?? [];
    assert.equal(String(nodes?.(error, sites)).startsWith(String(error)), true);
    assert.match(frames[0] ?? '', /stack-traces\.test\.ts:\d+:\d+\)?$/);
  }
});

test('what a function throws is thrown', async (t) => {
  const fail = await load(createApp(t, { 'main.ts': source }));
  const thrown = new Error('thrown');
  const prepare = (): never => {
    throw thrown;
  };
  assert.throws(
    () => withPrepare(prepare, () => fail().stack),
    (error) => error === thrown,
  );
});

test('a package that reads call sites names the place in the source', async (t) => {
  const lib = `import depd from 'depd';
const deprecate = depd('app');
export const old = (): void => { deprecate('old'); };`;
  const caller = `import { old } from './lib.ts';
const call = <T extends object>(value: T): T => { old(); return value; };
setImmediate((): void => { call<object>({}); });`;
  const app = createApp(t, { 'lib.ts': lib, 'main.ts': caller });
  symlinkSync(path.join(repository, 'node_modules'), path.join(app.root, 'node_modules'));
  const { stderr } = spawnSync(process.execPath, [commandLine, 'run', 'main.ts'], {
    cwd: app.root,
    encoding: 'utf8',
  });
  const column = (caller.split('\n')[1] ?? '').indexOf('old()') + 1;
  assert.ok(stderr.includes(`app deprecated old at main.ts:2:${column}`), stderr);
});

test('with source maps enabled in Node, an app that was built from TypeScript is traced to that', async (t) => {
  const map = { version: 3, sourceRoot: '', sources: ['../src/main.ts'], names: [] };
  // Line 2 is line 10 of the source, and `new Error` is at column 41 there.
  const mappings = ';AASA,0BAAwC';
  const app = createApp(t, {
    'dist/main.js': `import { fail } from './fail.js';\nconsole.log(fail().stack);`,
    'dist/fail.js': `\nexport const fail = () => new Error('x');\n//# sourceMappingURL=fail.js.map`,
    'dist/fail.js.map': JSON.stringify({ ...map, mappings }),
  });
  const trace = (...flags: string[]): string =>
    spawnSync(process.execPath, [...flags, 'dist/main.js'], { cwd: app.root, encoding: 'utf8' }).stdout;
  const native = trace('--enable-source-maps').split('\n')[1] ?? '';
  assert.equal(native, `    at fail (${app.root}/src/main.ts:10:41)`);
  const own = trace('--enable-source-maps', commandLine, 'run');
  assert.equal(own.split('\n')[1], native);
  assert.match(trace(commandLine, 'run').split('\n')[1] ?? '', /dist\/fail\.js:2:27\)$/);
});

test('with source maps enabled in Node, frames of packages and of the app are both mapped', async (t) => {
  const map = { version: 3, sources: ['p.ts'], names: [], mappings: 'AAUA' };
  const inline = Buffer.from(JSON.stringify(map)).toString('base64');
  const app = createApp(t, {
    'main.ts': `import { call } from 'p';
export const stack: string = call((a?: { some: string }): Error => new Error('x')).stack ?? '';
console.log(stack);`,
    'node_modules/p/package.json': '{"name":"p","type":"module","exports":"./p.js"}',
    'node_modules/p/p.js': `export const call = (f) => f();\n//# sourceMappingURL=data:application/json;base64,${inline}`,
  });
  const preload = `import module from 'node:module'; module.setSourceMapsSupport(true, { nodeModules: true });`;
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, commandLine, 'run', 'main.ts'], {
    cwd: app.root,
    encoding: 'utf8',
  });
  assert.match(stdout, /main\.ts:2:68/, stderr);
  assert.match(stdout, /p\.ts:11:1\)/);
});
