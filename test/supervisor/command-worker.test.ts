/** Programs from their start until they count as ready. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { healthBefore } from '../../src/protocol/manifest.ts';
import type { Ready } from '../../src/protocol/manifest.ts';
import { createPrograms, toServer, type Programs } from '../support/programs.ts';
import { stopClock } from '../support/stopped-clock.ts';

async function get({ listeners }: Programs): Promise<string> {
  const request = http.get(`http://${listeners.addresses()[0]}/`, { agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return text(response);
}

const say = 'response.end(String(process.pid));';
const kinds: readonly (readonly [string, Ready, readonly string[]])[] = [
  ['polls its socket', 'listen', toServer(say)],
  ['answers', { http: '/' }, toServer(say)],
  ['prints the line', { line: '^serving on \\d+$' }, toServer(say, `console.log('serving on 3');`)],
  ['writes to READY_FD', 'pipe', toServer(say, `fs.writeSync(Number(process.env.READY_FD), 'ready\\n');`)],
  ['closes READY_FD', 'pipe', toServer(say, `fs.closeSync(Number(process.env.READY_FD));`)],
  ['sends READY=1', 'notify', toServer(say, toNotify(String.raw`STATUS=up\nREADY=1`))],
];

/** What sends a datagram, from Node. */
function toNotify(message: string): string {
  const script = `use Socket; socket my $s, AF_UNIX, SOCK_DGRAM, 0; send $s, "${message}", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET});`;
  return `require('node:child_process').execFileSync('perl', ['-e', ${JSON.stringify(script)}]);`;
}

for (const [what, ready, command] of kinds) {
  test(`a program is ready when it ${what}`, async (t) => {
    const programs = createPrograms(t);
    const worker = await programs.start({ command, settings: { ready } });
    assert.equal(await get(programs), String(worker.pid));
  });
}

test('a program is ready when it is given more time', async (t) => {
  const programs = createPrograms(t);
  const clock = stopClock(t);
  const onSignal = `process.once('SIGUSR2', () => { ${toNotify('READY=1')} }); console.log('pid ' + process.pid + ';');`;
  const command = toServer(say, `${onSignal} ${toNotify('EXTEND_TIMEOUT_USEC=90000000')}`);
  const starting = programs.start({ command, settings: { ready: 'notify', readyTimeoutMs: 30_000 } });
  await clock.isAskedFor(90_000);
  clock.pass(60_000);
  process.kill(Number(await programs.prints(/pid (\d+);/)), 'SIGUSR2');
  const worker = await starting;
  assert.equal(await get(programs), String(worker.pid));
});

const idle = [process.execPath, '-e', `console.log('the last word'); setInterval(() => {}, 1_000);`];

const failures: readonly (readonly [Ready, RegExp])[] = [
  [{ http: '/' }, /GET \/ was not answered.*the last word/s],
  [{ line: 'ready' }, /nothing that matches \/ready\/m.*the last word/s],
  ['pipe', /wrote nothing to READY_FD.*the last word/s],
  ['notify', /no READY=1.*the last word/s],
];

for (const [ready, message] of failures) {
  test(`a program that is not ready by ${JSON.stringify(ready)} is killed, and the error says what was seen`, async (t) => {
    const programs = createPrograms(t);
    const clock = stopClock(t);
    const starting = programs.start({ command: idle, settings: { ready, readyTimeoutMs: 30_000 } });
    await programs.prints(/the last word/);
    // It may print before anybody waits for it; for a line, the clock is looked at again and again.
    if (typeof ready === 'string' || 'http' in ready) await clock.isAskedFor(30_000);
    clock.pass(30_001);
    await assert.rejects(starting, { code: 'ERR_MIDFLIGHT_PROGRAM_NOT_READY', message });
  });
}

test('the status of a program that says that it stops is in the error', async (t) => {
  const programs = createPrograms(t);
  const command = toServer(say, toNotify(String.raw`STOPPING=1\nSTATUS=no database`));
  await assert.rejects(programs.start({ command, settings: { ready: 'notify' } }), {
    code: 'ERR_MIDFLIGHT_PROGRAM_NOT_READY',
    message: /it said that it stops; its status was "no database"/,
  });
});

for (const ready of ['listen', { http: '/' }, 'pipe', 'notify'] as const) {
  test(`a program that ends while it starts is an error at once: ${JSON.stringify(ready)}`, async (t) => {
    const programs = createPrograms(t);
    // One that lives long counts as ready.
    stopClock(t);
    const command = ['sh', '-c', 'echo broken; exit 4'];
    await assert.rejects(programs.start({ command, settings: { ready } }), {
      code: 'ERR_MIDFLIGHT_WORKER_EXITED',
      message: /exit code 4.*broken/s,
    });
  });
}

test('a program that answers 503 is not ready, and the error says so', async (t) => {
  const programs = createPrograms(t);
  const clock = stopClock(t);
  // Who asks so often has read an answer.
  const count = `if ((globalThis.count = (globalThis.count ?? 0) + 1) === 10) console.log('asked 10 times');`;
  const command = toServer(`response.statusCode = 503; response.end(); ${count}`);
  const starting = programs.start({ command, settings: { ready: { http: '/up' }, readyTimeoutMs: 30_000 } });
  await programs.prints(/asked 10 times/);
  clock.pass(30_001);
  await assert.rejects(starting, { message: /GET \/up was answered by 503/ });
});

test('a program that fails its health check does not take over', async (t) => {
  const programs = createPrograms(t);
  const command = toServer('response.statusCode = 500; response.end();');
  const settings = { health: { ...healthBefore, path: '/health', timeoutMs: 30_000 } };
  await assert.rejects(programs.start({ command, settings }), {
    code: 'ERR_MIDFLIGHT_HEALTH_FAILED',
    message: /GET \/health was answered by 500/,
  });
});

test('a program whose children serve is seen to, by its polling and by its answer', async (t) => {
  const programs = createPrograms(t);
  const [node = '', flag = '', code = ''] = toServer('response.end(String(process.ppid));');
  const child = [flag, code].map((word) => JSON.stringify(word)).join(', ');
  const parent = `require('node:child_process').spawn(${JSON.stringify(node)}, [${child}], { stdio: ['ignore', 'inherit', 'inherit', 3] }); setInterval(() => {}, 1_000);`;
  const settings = { health: { ...healthBefore, path: '/' } };
  // It does not count as ready by being old.
  stopClock(t);
  const worker = await programs.start({ command: [node, flag, parent], settings });
  assert.equal(await get(programs), String(worker.pid));
  worker.kill('SIGKILL');
  await worker.exited;
});

test('a program that ends its parent serves on, and ends when it is asked to', async (t) => {
  const programs = createPrograms(t);
  const command = toServer(say, `process.kill(process.ppid, 'SIGTERM');`);
  const worker = await programs.start({ command, settings: { ready: { http: '/' } } });
  assert.equal(await get(programs), String(worker.pid));
  // Of two signals of the same name that wait for a process the kernel keeps one.
  while (!hasTakenSignals(parentOf(worker.pid))) await setImmediate();
  assert.deepEqual(await worker.end(5_000), { code: null, signal: 'SIGTERM' });
});

function parentOf(pid: number): string {
  return /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

function hasTakenSignals(pid: string): boolean {
  return !/^(?:Sig|Shd)Pnd:.*[1-9a-f]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

test('a program knows its sockets in every dialect, by their names', async (t) => {
  const programs = createPrograms(t);
  const names =
    'LISTEN_FDS LISTEN_FDNAMES NGINX SERVER_STARTER_PORT EINHORN_FDS EINHORN_FD_COUNT EINHORN_FD_1';
  const command = toServer(
    `response.end(${JSON.stringify(names)}.split(' ').map((name) => process.env[name]).join(' '));`,
  );
  const listen = ['web=127.0.0.1:0', `unix:${programs.directory}/socket`];
  await programs.start({ command, listen });
  const socket = `${programs.directory}/socket`;
  assert.equal(await get(programs), `2 web:unix_${socket} 3;4; 127.0.0.1:0=3;${socket}=4 3 4 2 4`);
});
