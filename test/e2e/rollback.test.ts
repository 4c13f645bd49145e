/** `rollback` while a deploy is in probation: what is still warm goes on, at once, with all that it had. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, type CommandOutcome, type Files, type TestApp } from '../support/app.ts';
import { RawClient } from '../support/raw-client.ts';

const toServer = (version: string): Files => ({
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
import { version } from './version.ts';
console.log('evaluated');
const visits = state('visits', () => ({ count: 0 }));
createServer((request, response) => {
  if (request.url === '/visit') visits.count++;
  response.setHeader('x-pid', process.pid);
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const body = JSON.stringify({ version, versionAfter: version, visits: visits.count });
  setTimeout(() => response.end(body), Number(searchParams.get('ms') ?? 0));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  'version.ts': `export const version: string = '${version}';\n`,
});

interface Row {
  readonly action: string;
  readonly release: string;
  readonly previous: string;
  readonly path: string;
  readonly result: string;
  readonly evidence: string | null;
}

async function startApp(t: TestContext, more: object = {}): Promise<TestApp> {
  const config = { entry: 'server.ts', probationMs: 60_000, drainTimeoutMs: 60_000, ...more };
  const app = await createTestApp({ files: toServer('one'), config });
  t.after(() => app.dispose());
  await app.start();
  return app;
}

async function deploy(app: TestApp, version: string, path: string): Promise<string> {
  app.commit({ 'version.ts': toServer(version)['version.ts'] ?? '' });
  const { json } = await app.midflight('deploy', '--detach', '--json', '--path', path);
  assert.deepEqual([json['path'], json['result']], [path, 'committed'], JSON.stringify(json));
  return json['release'] as string;
}

async function servingPids(app: TestApp): Promise<number[]> {
  const { workers } = await app.status();
  const pids = workers.filter(({ state }) => state === 'serving').map(({ pid }) => pid);
  return pids.toSorted((one, other) => one - other);
}

async function readHistory(app: TestApp): Promise<readonly Row[]> {
  return (await app.midflight('history', '--json')).json as unknown as Row[];
}

/** Rolls back, and nobody evaluates anything for it. */
async function rollBackAtOnce(
  app: TestApp,
  path: string,
  release: string,
  ...args: string[]
): Promise<CommandOutcome> {
  const evaluationCount = (): number => app.log().split('evaluated').length;
  const before = evaluationCount();
  const outcome = await app.midflight('rollback', ...args, '--json');
  const { json, exitCode } = outcome;
  assert.deepEqual(
    [json['path'], json['result'], json['release'], exitCode],
    [path, 'committed', release, 0],
    JSON.stringify(json),
  );
  assert.equal((json['timings'] as Record<string, number>)['prepareMs'], undefined);
  assert.equal(evaluationCount(), before);
  return outcome;
}

for (const path of ['swap', 'handoff']) {
  test(`a rollback in the probation of a ${path} goes on in the processes of before, and no request under load fails`, async (t) => {
    const app = await startApp(t, { workers: 2 });
    const { release: first } = await app.status();
    const pids = await servingPids(app);
    const clients = { strict: 4, keepAlive: 4, newConnection: 2, slow: 2 };
    const load = startLoad({ origin: app.origin, clients, slowPath: '/slow?ms=50' });
    await load.waitForVersion('one');
    const second = await deploy(app, 'two', path);
    await load.waitForVersion('two');
    const outcome = await rollBackAtOnce(app, path, first);
    t.diagnostic(JSON.stringify(outcome.json['timings']));
    assert.match(await app.get(), /"version":"one"/);
    assert.deepEqual(await servingPids(app), pids);
    await load.waitForRequests(100);
    const { failures } = await load.stop();
    assert.deepEqual(failures, []);
    const [rollback, withdrawn, start] = await readHistory(app);
    assert.deepEqual([rollback?.action, withdrawn?.action, start?.action], ['rollback', 'deploy', 'start']);
    assert.deepEqual([rollback?.result, rollback?.release, rollback?.previous], ['committed', first, second]);
    assert.deepEqual([withdrawn?.result, withdrawn?.path, withdrawn?.release], ['rolled-back', path, second]);
    assert.match(withdrawn?.evidence ?? '', /by hand/);
  });

  test(`a rollback in the probation of a ${path} takes back what was written since, and the connections that are open`, async (t) => {
    const app = await startApp(t);
    const { release: first } = await app.status();
    const client = await RawClient.connect(app.port);
    const { pid } = await client.get('/visit');
    await deploy(app, 'two', path);
    for (;;) if (/two/.test((await client.get('/')).body)) break;
    await client.get('/visit');
    await rollBackAtOnce(app, path, first, first);
    const answer = await client.get('/visit');
    assert.deepEqual(
      [answer.pid, answer.isClosing, JSON.parse(answer.body)],
      [pid, false, { version: 'one', versionAfter: 'one', visits: 3 }],
    );
    client.socket.destroy();
  });
}

test('a deploy that waits for its probation is told that it was rolled back by hand', async (t) => {
  const app = await startApp(t);
  const { release: first } = await app.status();
  app.commit(toServer('two'));
  const deploying = app.midflight('deploy', '--json');
  while (!/two/.test(await app.get()));
  const { stdout } = await app.midflight('rollback');
  assert.match(stdout, /commit .*generation/);
  const { json, exitCode } = await deploying;
  const { code, message } = json['error'] as { code: string; message: string };
  assert.deepEqual([json['result'], code, exitCode], ['rolled-back', 'ERR_MIDFLIGHT_DEPLOY_WITHDRAWN', 3]);
  assert.match(message, new RegExp(`by hand.*${first} is back`));
  assert.equal((await app.midflight('deploy', '--json', '--detach')).json['result'], 'committed');
});

test('a rollback to another release than the one before leaves the probation to the plan', async (t) => {
  const app = await startApp(t, { probationMs: 0 });
  const { release: first } = await app.status();
  await deploy(app, 'two', 'swap');
  app.write({
    'midflight.config.json': JSON.stringify({
      entry: 'server.ts',
      probationMs: 60_000,
      drainTimeoutMs: 1_000,
    }),
  });
  await deploy(app, 'three', 'swap');
  const { json } = await app.midflight('rollback', first, '--json');
  assert.deepEqual([json['path'], json['result'], json['release']], ['swap', 'committed', first]);
  assert.match(await app.get(), /"version":"one"/);
  assert.equal((await readHistory(app))[1]?.result, 'committed');
});

test('a rollback in the probation of a restart starts new processes, as none is warm', async (t) => {
  const app = await startApp(t, { probationMs: 2_000 });
  const { release: first } = await app.status();
  await deploy(app, 'two', 'restart');
  const { json } = await app.midflight('rollback', '--json');
  assert.deepEqual([json['result'], json['release']], ['committed', first]);
  assert.match(await app.get(), /"version":"one"/);
});
