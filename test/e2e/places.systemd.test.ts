/** Under a service manager: sockets that it passes in, and what it is told. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http, { type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createTestApp, findFreePort, waitForLog, type Files } from '../support/app.ts';
import { createNotifyReceiver, type NotifyReceiver } from '../support/notify-receiver.ts';

/** Listens wherever it is told, and answers with what a worker sees of its environment. */
const server = `
const { createServer } = require('node:http');
const handle = (request, response) =>
  response.end(JSON.stringify(Object.keys(process.env).filter((key) => /^(LISTEN|NOTIFY|WATCHDOG)_/.test(key))));
for (const address of process.env.SERVE_ON.split(' ')) createServer(handle).listen(JSON.parse(address));
`;
const files: Files = { 'server.js': server };
const WATCHDOG_MS = 100;
const config = { entry: 'server.js', probationMs: 50 };

async function get(options: http.RequestOptions): Promise<string> {
  const request = http.get({ agent: false, signal: AbortSignal.timeout(30_000), ...options });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return text(response);
}

test('sockets that are passed in are listened on, TCP, dual stack and Unix; one that nobody wants is held and named', async (t) => {
  const [four, dual, spare] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-sockets-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const socketPath = path.join(directory, 'app.sock');
  const listen = [`127.0.0.1:${four}`, `[::]:${dual}`, `127.0.0.1:${spare}`, socketPath];
  const app = await createTestApp({
    files,
    config,
    environment: {
      SERVE_ON: [{ port: four, host: 'localhost' }, { port: dual }, { path: socketPath }]
        .map((address) => JSON.stringify(address))
        .join(' '),
    },
    launcher: ['systemd-socket-activate', '-E', 'SERVE_ON', ...listen.flatMap((address) => ['-l', address])],
  });
  t.after(() => app.dispose());
  const start = app.spawnStart();
  await waitForLog(start, () => app.log(), /Listening on .*app.sock/);
  // The first one starts it.
  assert.equal(await get({ port: four, host: '127.0.0.1' }), '[]');
  assert.equal(await get({ port: dual, host: '127.0.0.1' }), '[]');
  assert.equal(await get({ port: dual, host: '::1' }), '[]');
  assert.equal(await get({ socketPath }), '[]');
  await waitForLog(start, () => app.log(), /was passed in/);
  await app.printed(new RegExp(`127.0.0.1:${spare} was passed in and is held`));
  const { json: status } = await app.midflight('status', '--json');
  assert.deepEqual(
    (status['listeners'] as { address: string; isUsed: boolean }[]).toSorted((one, other) =>
      one.address < other.address ? -1 : 1,
    ),
    [
      { address: `127.0.0.1:${four}`, isUsed: true },
      { address: `127.0.0.1:${spare}`, isUsed: false },
      { address: `[::]:${dual}`, isUsed: true },
      { address: `unix:${socketPath}`, isUsed: true },
    ].toSorted((one, other) => (one.address < other.address ? -1 : 1)),
  );
  const { stdout } = await app.midflight('status');
  assert.match(stdout, new RegExp(`^holding 127.0.0.1:${spare},`, 'm'));
  process.kill((status['supervisor'] as { pid: number }).pid, 'SIGKILL');
  await waitForLog(start, () => app.log(), /serving [^]*serving /);
  app.commit({ 'server.js': `${server}// two\n` });
  const { json } = await app.midflight('deploy', '--path', 'handoff', '--json');
  assert.equal(json['result'], 'committed', JSON.stringify(json));
  assert.equal(await get({ port: four, host: '127.0.0.1' }), '[]');
  assert.equal(await get({ socketPath }), '[]');
  await app.midflight('stop');
  // It was not ours: systemd would hand it to the next start.
  assert.ok(existsSync(socketPath));
});

test('sockets for another process are left alone, with a line that says so', async (t) => {
  const app = await createTestApp({
    files,
    config,
    environment: { LISTEN_FDS: '1', LISTEN_PID: '1', SERVE_ON: '{"port":0,"host":"127.0.0.1"}' },
  });
  t.after(() => app.dispose());
  await app.start();
  await app.printed(/LISTEN_PID is 1, this is \d+\. A wrapper such as "npm start"/);
});

test('a service manager is told when it serves, of each deploy, that it lives and that it ends', async (t) => {
  const socket = `@midflight-test-places-${process.pid}`;
  const receiver = await createNotifyReceiver(t, socket);
  const app = await createTestApp({
    files,
    config,
    environment: {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: String(WATCHDOG_MS * 1_000),
      SERVE_ON: '{"port":0,"host":"127.0.0.1"}',
    },
  });
  t.after(() => app.dispose());
  const start = app.spawnStart();
  const ready = await receiver.waitFor(/READY=1/);
  assert.match(ready, new RegExp(`^READY=1 STATUS=release \\S+ serves MAINPID=${start.pid}$`));
  assert.equal(receiver.messages[0], 'EXTEND_TIMEOUT_USEC=30000000');
  await receiver.waitFor(/WATCHDOG=1/, receiver.messages.length + 2);
  const { workers } = await app.status();
  const environment = execFileSync('cat', [`/proc/${workers[0]?.pid}/environ`], { encoding: 'utf8' });
  assert.doesNotMatch(environment, /NOTIFY_SOCKET|WATCHDOG_USEC/);
  app.commit({ 'server.js': `${server}// two\n` });
  const from = receiver.messages.length;
  process.kill(start.pid ?? 0, 'SIGHUP');
  await receiver.waitFor(/^RELOADING=1 MONOTONIC_USEC=\d+$/, from);
  await receiver.waitFor(/STATUS=release \S+ serves; plan: swap/, from);
  await receiver.waitFor(/READY=1/, from);
  await hang(receiver, (await app.status()).supervisor.pid);
  const exited = once(start, 'exit');
  process.kill(start.pid ?? 0, 'SIGTERM');
  await receiver.waitFor(/STOPPING=1/, from);
  const [exitCode] = (await exited) as [number | null];
  assert.equal(exitCode, 0);
});

/** No sign of life while the supervisor hangs. */
async function hang({ messages, waitFor }: NotifyReceiver, supervisorPid: number): Promise<void> {
  process.kill(supervisorPid, 'SIGSTOP');
  // What it had written before is on its way, as the helper goes on; then there is silence, or this never ends.
  let seen: number;
  do {
    seen = messages.length;
    await sleep(3 * WATCHDOG_MS);
  } while (messages.length !== seen);
  process.kill(supervisorPid, 'SIGCONT');
  await waitFor(/WATCHDOG=1/, seen);
}
