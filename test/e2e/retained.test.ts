/** Generations that have retired: what status says of them, when they are disposed, and what happens where they pile up. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';
import { createTestDev } from '../support/dev.ts';

const MAX_RETAINED = 2;
const config = {
  entry: 'server.ts',
  probationMs: 300,
  drainTimeoutMs: 1_000,
  policy: { maxRetained: MAX_RETAINED },
};

interface Entry {
  readonly path: string;
  readonly result: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
}

async function createApp(t: TestContext, files: Files): Promise<TestApp> {
  const app = await createTestApp({ files, config });
  t.after(() => app.dispose());
  return app;
}

async function deploy(app: TestApp): Promise<string> {
  const { json } = await app.midflight('deploy', '--json');
  return (json as { result: string }).result;
}

/** Every version leaves a listener where no generation ends. */
const toCapturing = (version: number): Files => ({
  'server.ts': `import { createServer } from 'node:http';
import { handle } from './handle.ts';
createServer(handle).listen(Number(process.env.PORT), '127.0.0.1');
`,
  'handle.ts': `import type { RequestListener } from 'node:http';
const captured: unknown[] = ((globalThis as { captured?: unknown[] }).captured ??= []);
export const handle: RequestListener = (_, response) => void response.end(String(process.pid) + ' ${version}');
captured.push(handle);
`,
});

test('where more generations are held than the policy allows, fresh processes take over, and the history says why', async (t) => {
  const app = await createApp(t, toCapturing(0));
  const supervisor = await app.start();
  const [before] = (await app.get()).split(' ');
  for (let version = 1; version <= MAX_RETAINED; version++) {
    app.commit(toCapturing(version));
    assert.equal(await deploy(app), 'committed');
    assert.equal(await app.get(), `${before} ${version}`);
  }
  const last = MAX_RETAINED + 1;
  app.commit(toCapturing(last));
  assert.equal(await deploy(app), 'committed');
  await waitForLog(supervisor, () => app.log(), /MF2011[\s\S]*passed: release/);
  const [after, version] = (await app.get()).split(' ');
  assert.notEqual(after, before);
  assert.equal(version, String(last));
  const { json } = await app.midflight('history', '--json');
  const [relief] = json as unknown as Entry[];
  assert.equal(relief?.path, 'handoff');
  assert.equal(relief.result, 'committed');
  const reason = `worker ${before} holds ${last} retired generations, more than policy.maxRetained (${MAX_RETAINED}) allows`;
  assert.deepEqual(relief.reasons, [{ code: 'MF2011', path: 'handoff', message: reason }]);
});

test('status names the sockets that keep a generation, with their peers and the lines', async (t) => {
  const database = net.createServer((socket) => void socket.on('error', () => undefined));
  await once(database.listen(0, '127.0.0.1'), 'listening');
  t.after(() => void database.close());
  const { port } = database.address() as net.AddressInfo;
  const toFiles = (connects: boolean): Files => ({
    'server.ts': `import { createServer } from 'node:http';
import { connect } from 'node:net';
${connects ? `connect(${port}, '127.0.0.1');` : ''}
const server = createServer((_, response) => void response.end('served'));
server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: x\\r\\n\\r\\n'));
server.listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  const app = await createApp(t, toFiles(true));
  await app.start();
  const client = net.connect(app.port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  await once(client, 'data');
  app.commit(toFiles(false));
  assert.equal(await deploy(app), 'committed');
  const place = String.raw`\S+/server\.ts`;
  const upgraded = String.raw`upgraded socket from 127\.0\.0\.1:${client.localPort}, accepted by the server that listens since ${place}:6:\d+`;
  const opened = String.raw`socket to 127\.0\.0\.1:${port}, made at ${place}:3:\d+`;
  const { stdout } = await app.midflight('status');
  assert.match(stdout, new RegExp(`generation 1 is kept by\\n    ${upgraded}\\n    ${opened}\\n`));
  const [worker] = (await app.status()).workers as { retained?: { pinnedBy: string[] }[] }[];
  assert.equal(worker?.retained?.[0]?.pinnedBy.length, 2);
});

test('midflight dev starts another process where generations pile up, and says so', async (t) => {
  const dev = await createTestDev({
    ...toCapturing(0),
    'midflight.config.json': JSON.stringify({ policy: { maxRetained: MAX_RETAINED } }),
  });
  t.after(() => dev.dispose());
  dev.start('server.ts');
  await dev.next('serving');
  for (let version = 1; version <= MAX_RETAINED + 1; version++) {
    dev.write(toCapturing(version));
    await dev.next('swapped');
  }
  const { reasons } = await dev.next('handoff');
  const reason = `${MAX_RETAINED + 1} replaced generations are still held, more than policy.maxRetained (${MAX_RETAINED}) allows`;
  assert.deepEqual(reasons, [reason]);
  const { pid } = await dev.next('handed-off');
  await dev.answers(`${pid} ${MAX_RETAINED + 1}`);
});

/** Says what it is when it is disposed, and counts while it acts. */
const toDisposing = (version: string, end = ''): Files => ({
  'server.ts': `import { createServer } from 'node:http';
let count = 0;
setInterval(() => count++, 5);
createServer((request, response) => {
  if (request.url === '/now') process.emit('now');
  response.end('${version} ' + count);
}).listen(Number(process.env.PORT), '127.0.0.1');
import.meta.hot?.dispose(() => console.log('${version} is disposed'));
${end}
`,
});

test('the version before is disposed when the next has passed probation; after a fault the next is, and the one before acts again', async (t) => {
  const app = await createApp(t, toDisposing('one'));
  const supervisor = await app.start();
  const inLongProbation = { 'midflight.config.json': JSON.stringify({ ...config, probationMs: 60_000 }) };
  app.commit({ ...toDisposing('two'), ...inLongProbation });
  await app.midflight('deploy', '--detach');
  assert.match(await app.get(), /^two/);
  assert.doesNotMatch(app.log(), /is disposed/);
  // The same code, and another probation.
  app.commit({ 'midflight.config.json': JSON.stringify(config) });
  await app.midflight('deploy', '--detach');
  await waitForLog(supervisor, () => app.log(), /one is disposed/);
  app.commit({
    ...toDisposing('three', `process.on('now', () => setImmediate(() => { throw new Error('a fault'); }));`),
    ...inLongProbation,
  });
  const deploying = deploy(app);
  while (!(await app.get()).startsWith('three'));
  await app.get('/now');
  assert.equal(await deploying, 'rolled-back');
  await waitForLog(supervisor, () => app.log(), /three is disposed/);
  assert.doesNotMatch(app.log(), /two is disposed/);
  const toCount = async (): Promise<number> => Number(/^two (\d+)$/.exec(await app.get())?.[1]);
  const first = await toCount();
  assert.ok(first > 0);
  while ((await toCount()) <= first);
});
