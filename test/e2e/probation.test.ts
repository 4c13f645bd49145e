/** What brings a release back that answers: that it serves worse than the one before; and what is kept of it. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import type { Evidence } from '../../src/deploy/evidence.ts';
import { createTestApp, type Files, type TestApp } from '../support/app.ts';

/** `behaviour` is the body of a function of a request and a response, after which the version is answered. */
const toServer = (version: string, behaviour = ''): Files => ({
  'server.ts': `
import { createServer } from 'node:http';
let count = 0;
${/export [\s\S]*?;\n/.exec(behaviour)?.[0] ?? ''}
createServer((request, response) => {
  count++;
  ${behaviour.replace(/export [\s\S]*?;\n/, '')}
  response.end(JSON.stringify({ version: '${version}', versionAfter: '${version}' }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
});

async function startApp(t: TestContext, config: object = {}): Promise<TestApp> {
  const app = await createTestApp({
    files: toServer('one'),
    config: { entry: 'server.ts', probationMs: 2_000, drainTimeoutMs: 2_000, ...config },
  });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

interface Report {
  readonly result: string;
  readonly path: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

async function deploy(app: TestApp, files: Files, ...flags: string[]): Promise<Report> {
  app.commit(files);
  const outcome = await app.midflight('deploy', '--json', ...flags);
  return outcome.json as unknown as Report;
}

async function evidenceOfLast(app: TestApp): Promise<Evidence> {
  const [{ id }] = (await app.midflight('history', '--json')).json as unknown as [{ id: number }];
  return (await app.midflight('history', String(id), '--json')).json['evidence'] as Evidence;
}

const read = (app: TestApp, name: string): string => readFileSync(path.join(app.directory, name), 'utf8');

// Side by side, as each waits for a look; the first is after a sixth of the time, which has enough requests on any machine.
suite('worse', { concurrency: true }, () => {
  for (const way of ['swap', 'handoff'])
    test(`a release that answers a third of all requests by 500 goes back by itself after a ${way}, with its figures`, async (t) => {
      const app = await startApp(t, { probationMs: 40_000 });
      const load = startLoad({ origin: app.origin, clients: { keepAlive: 4 } });
      t.after(() => load.stop());
      await load.waitForVersion('one');
      for (let count = 0; count < 100; count++) await app.get();
      const report = await deploy(
        app,
        toServer('two', 'if (count % 3 === 0) response.statusCode = 500;'),
        '--path',
        way,
      );
      assert.deepEqual([report.result, report.path], ['rolled-back', way], JSON.stringify(report));
      assert.match(report.error?.message ?? '', /worse than the one before: MF4001 errors: \d+ of \d+/);
      const { probation } = await evidenceOfLast(app);
      assert.equal(probation?.verdict, 'worse');
      assert.equal(probation?.before.errorCount, 0);
      assert.ok((probation?.after.errorCount ?? 0) > 0);
      assert.match(await app.get(), /"one"/);
    });
});

test('without traffic a release passes and is told to be unknown; by the strict policy it goes back', async (t) => {
  const app = await startApp(t);
  const report = await deploy(app, toServer('two'));
  assert.equal(report.result, 'committed');
  await app.printed(/passed: release \S+; too little is known to compare it .*: \d+ answers, before \d+$/m);
  const strict = { entry: 'server.ts', probationMs: 1_000, policy: { probation: 'strict' } };
  const files = { ...toServer('three'), 'midflight.config.json': JSON.stringify(strict) };
  const second = await deploy(app, files);
  assert.equal(second.result, 'rolled-back', JSON.stringify(second));
  assert.match(second.error?.message ?? '', /nobody knows how it serves/);
});

test('hooks run in the release that is deployed, are told what it is about, and have nothing of the service environment', async (t) => {
  const say = (name: string): string =>
    `printf '%s ' ${name} "$MIDFLIGHT_HOOK" "$MIDFLIGHT_PATH" "$MIDFLIGHT_RESULT" "\${PORT:-clean}" >> "$MIDFLIGHT_RELEASE_ROOT/../../../../hooks.txt"; cat note.txt >> "$MIDFLIGHT_RELEASE_ROOT/../../../../hooks.txt"`;
  const hooks = {
    beforeApply: say('one'),
    afterCommit: say('two'),
    afterRollback: say('three'),
  };
  const config = { entry: 'server.ts', probationMs: 500, hooks };
  const app = await createTestApp({ files: { ...toServer('first'), 'note.txt': 'first\n' }, config });
  t.after(() => app.dispose());
  await app.start();
  const toFiles = (note: string, behaviour?: string): Files => ({
    ...toServer(note, behaviour),
    'note.txt': `${note}\n`,
    'midflight.config.json': JSON.stringify(config),
  });
  await deploy(app, toFiles('second'));
  await deploy(app, toFiles('third', 'export const health = () => Promise.reject(new Error("ill"));\n'));
  const lines = read(app, 'hooks.txt').trim().split('\n');
  assert.deepEqual(lines, [
    'one beforeApply start applying clean first',
    'two afterCommit start committed clean first',
    'one beforeApply swap applying clean second',
    'two afterCommit swap committed clean second',
    // The health of the third was asked before anything changed, after this hook.
    'one beforeApply swap applying clean third',
  ]);
});

test('a beforeApply that fails rejects the deploy; an afterCommit that fails is told, and undoes nothing', async (t) => {
  const app = await startApp(t);
  const withHooks = (version: string, hooks: object): Files => ({
    ...toServer(version),
    'midflight.config.json': JSON.stringify({ entry: 'server.ts', probationMs: 100, hooks }),
  });
  const refused = await deploy(app, withHooks('two', { beforeApply: 'echo no such table >&2; exit 7' }));
  assert.deepEqual([refused.result, refused.error?.code], ['rejected', 'ERR_MIDFLIGHT_HOOK_FAILED']);
  assert.match(refused.error?.message ?? '', /exit code 7.*\nno such table/);
  assert.match(await app.get(), /"one"/);
  const told = await deploy(app, withHooks('three', { afterCommit: 'echo gone; exit 3', timeoutMs: 20_000 }));
  assert.equal(told.result, 'committed');
  await app.printed(/hook: The hook afterCommit .* failed: exit code 3/);
  const { hooks, error } = await evidenceOfLast(app);
  assert.deepEqual(
    [hooks[0]?.outcome, hooks[0]?.exitCode, hooks[0]?.output, error],
    ['failed', 3, 'gone', null],
  );
});

test('an app is asked by its own health() before it takes over, and in probation, and goes back with what it said', async (t) => {
  const app = await startApp(t, {
    probationMs: 120_000,
    health: { intervalMs: 50, failures: 2, timeoutMs: 20_000 },
  });
  const before = await deploy(
    app,
    toServer('two', 'export function health() { throw new Error("no database"); };\n'),
  );
  assert.deepEqual([before.result, before.error?.code], ['rejected', 'ERR_MIDFLIGHT_HEALTH_FAILED']);
  assert.match((await evidenceOfLast(app)).health?.seen ?? '', /it threw Error: no database/);
  const later = await deploy(
    app,
    toServer('three', 'export let asked = 0; export const health = async () => ++asked < 4;\n'),
  );
  assert.equal(later.result, 'rolled-back', JSON.stringify(later));
  assert.match(later.error?.message ?? '', /health\(\) failed: it returned false/);
  assert.match(await app.get(), /"one"/);
});

test('a health command is led to the new code alone, before it takes over', async (t) => {
  const app = await startApp(t);
  const check = `"${process.execPath}" -e "fetch(process.env.MIDFLIGHT_URL).then((answer) => answer.text()).then((text) => { console.log(text); process.exit(text.includes('two') ? 0 : 1); })"`;
  const config = { entry: 'server.ts', probationMs: 100, health: { command: check, timeoutMs: 20_000 } };
  const toFiles = (version: string): Files => ({
    ...toServer(version),
    'midflight.config.json': JSON.stringify(config),
  });
  assert.equal((await deploy(app, toFiles('two'), '--path', 'handoff')).result, 'committed');
  const three = await deploy(app, toFiles('three'), '--path', 'handoff');
  assert.deepEqual([three.result, three.error?.code], ['rejected', 'ERR_MIDFLIGHT_HEALTH_FAILED']);
  assert.match(three.error?.message ?? '', /exit code 1; it printed last: .*three/);
});

test('what a worker printed that never came up is kept with the deploy, and shown', async (t) => {
  const app = await startApp(t);
  const broken = { 'server.ts': `console.log('reading the settings'); throw new Error('no settings');` };
  const report = await deploy(app, broken, '--path', 'handoff');
  assert.equal(report.result, 'rejected');
  const { output, error, plan } = await evidenceOfLast(app);
  assert.match(output, /reading the settings/);
  assert.match(error?.message ?? '', /no settings/);
  assert.equal(plan?.path, 'handoff');
  const [{ id }] = (await app.midflight('history', '--json')).json as unknown as [{ id: number }];
  const { stdout } = await app.midflight('history', String(id));
  assert.match(
    stdout,
    /^deploy \d+ {2}rejected[\s\S]*^why\n[\s\S]*no settings[\s\S]*^printed last\n[\s\S]*reading the settings/m,
  );
  assert.equal((await app.midflight('history', '999')).exitCode, 2);
});
