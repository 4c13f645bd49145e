/** Kills the keeper: nothing that serves is cut, and the next start takes over from it. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startLoad } from '../../scripts/load/load.ts';
import { createTestApp, type TestApp } from '../support/app.ts';
import { toFrameworkApp } from '../support/frameworks.ts';

/** Answers with its pid; `/held` when it gets SIGUSR2. */
const answer = `(request, response) => {
  if (request.url !== '/held') return void response.end(String(process.pid));
  process.once('SIGUSR2', () => response.end(String(process.pid)));
  console.log('in flight in ' + process.pid);
}`;
const nodeServer = `require('node:http').createServer(${answer}).listen(Number(process.env.PORT), '127.0.0.1');\n`;
const program = `
const server = require('node:http').createServer(${answer});
server.listen({ fd: 3 });
setInterval(() => console.log('tick'), 50);
process.once('SIGTERM', () => server.close(() => process.exit(0)));
`;

async function startApp(
  t: TestContext,
  source: string,
  config: (port: number) => object,
): Promise<{ app: TestApp; keeper: ChildProcess }> {
  const app = await createTestApp({ files: { 'main.cjs': source }, config });
  t.after(() => app.dispose());
  return { app, keeper: await app.start() };
}

async function kill(keeper: ChildProcess): Promise<void> {
  keeper.kill('SIGKILL');
  await once(keeper, 'exit');
}

test('what serves goes on when the keeper is killed under load, also for new connections, and no request fails', async (t) => {
  const app = await createTestApp({
    files: toFrameworkApp('http', 'one'),
    config: { entry: 'server.ts', workers: 2 },
  });
  t.after(() => app.dispose());
  const keeper = await app.start();
  const { supervisor } = await app.status();
  const load = startLoad({
    origin: app.origin,
    clients: { strict: 10, newConnection: 3, slow: 2 },
    thinkMs: 20,
  });
  await kill(keeper);
  while (isAlive(supervisor.pid)) await pause(10);
  for (let count = 0; count < 20; count++) await app.get('/?ms=20');
  const report = await load.stop();
  assert.deepEqual(report.failures, []);
  await app.printed(/the keeper has ended, so this ends, too; what serves goes on/);
  const status = await app.midflight('status');
  assert.equal(status.exitCode, 4);
  assert.match(status.stderr, /serves on \(pid \d+, \d+\)/);
  await app.start();
});

for (const [kind, source, toConfig] of [
  ['a Node worker', nodeServer, () => ({ entry: 'main.cjs' })],
  [
    'a program that is not Node',
    program,
    (port: number) => ({ command: ['node', 'main.cjs'], listen: [`127.0.0.1:${port}`] }),
  ],
] as const) {
  test(`${kind} whose keeper is killed answers what is in flight after the next start has taken its address`, async (t) => {
    const { app, keeper } = await startApp(t, source, toConfig);
    const old = Number(await app.get());
    await kill(keeper);
    const held = app.get('/held');
    const log = (): string => readFileSync(path.join(app.directory, '.midflight/logs/app.log'), 'utf8');
    while (!log().includes(`in flight in ${old}`)) await pause(10);
    assert.equal(await app.get(), String(old));
    const ended = new AbortController();
    t.after(() => ended.abort());
    const gap = watchRefusals(app.port, ended.signal);
    await app.start();
    assert.notEqual(await app.get(), String(old));
    ended.abort();
    t.diagnostic(`new connections were refused for ${Math.round(await gap)} ms`);
    assert.ok((await gap) < 10_000);
    process.kill(old, 'SIGUSR2');
    assert.equal(await held, String(old));
    while (isAlive(old)) await pause(10);
  });
}

test('a second start is refused while the first one runs, and says who runs', async (t) => {
  const { app, keeper } = await startApp(t, nodeServer, () => ({ entry: 'main.cjs' }));
  const second = app.spawnStart();
  const [exitCode] = (await once(second, 'close')) as [number];
  assert.equal(exitCode, 4);
  await app.printed(new RegExp(`ERR_MIDFLIGHT_ALREADY_RUNNING\n.*pid ${keeper.pid}`));
  assert.match(await app.get(), /^\d+$/);
});

test('a start whose code does not load leaves those alone that serve since before', async (t) => {
  const source = `if (process.env.BROKEN === 'yes') throw new Error('broken');\n${nodeServer}`;
  const config = { entry: 'main.cjs', envFile: '.env' };
  const app = await createTestApp({ files: { 'main.cjs': source, '.env': 'BROKEN=no\n' }, config });
  t.after(() => app.dispose());
  const keeper = await app.start();
  const old = await app.get();
  await kill(keeper);
  app.write({ '.env': 'BROKEN=yes\n' });
  const [exitCode] = (await once(app.spawnStart(), 'close')) as [number];
  assert.equal(exitCode, 3, app.log());
  assert.equal(await app.get(), old);
  app.write({ '.env': 'BROKEN=no\n' });
  await app.start();
  assert.notEqual(await app.get(), old);
});

/** How long connections were refused, in milliseconds. */
async function watchRefusals(port: number, ended: AbortSignal): Promise<number> {
  let total = 0;
  let last = performance.now();
  while (!ended.aborted) {
    const socket = createConnection(port, '127.0.0.1');
    const isRefused = await once(socket, 'connect').then(
      () => false,
      () => true,
    );
    socket.destroy();
    const now = performance.now();
    if (isRefused) total += now - last;
    last = now;
    await pause(1);
  }
  return total;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
