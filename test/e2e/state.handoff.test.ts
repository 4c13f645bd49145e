/** State from process to process, by the command line and with real clients: nothing that was answered is lost. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type Files, type TestApp } from '../support/app.ts';

const counter: Files = {
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const count = state('count', () => ({ answered: 0 }));
class Meter {
  #value: number;
  constructor(value = 0) {
    this.#value = value;
  }
  get value() {
    return this.#value;
  }
  increment() {
    this.#value++;
  }
}
const meter = state('meter', () => new Meter(), { encode: ({ value }) => value, decode: (value: number) => new Meter(value) });

createServer((request, response) => {
  if (request.url === '/count') return response.end(JSON.stringify({ ...count, metered: meter.value, pid: process.pid }));
  count.answered++;
  meter.increment();
  response.end(String(count.answered));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
};

const config = {
  entry: 'server.ts',
  probationMs: 50,
  drainTimeoutMs: 30_000,
  quiesceTimeoutMs: 30_000,
};

type Json = Readonly<Record<string, unknown>>;

async function startApp(
  t: TestContext,
  files: Files,
  more: object = {},
): Promise<TestApp & { readonly supervisor: ChildProcess }> {
  const app = await createTestApp({ files, config: { ...config, ...more } });
  t.after(() => app.dispose());
  return { ...app, supervisor: await app.start() };
}

async function deploy(app: TestApp, ...args: string[]): Promise<Json> {
  return (await app.midflight('deploy', '--json', '--path', 'handoff', ...args)).json;
}

async function ask<Answer>(app: TestApp, path: string): Promise<Answer> {
  return JSON.parse(await app.get(path)) as Answer;
}

/** Clients that keep their connection, never try again, and count what was answered. */
function startClients(app: TestApp, clientCount: number) {
  const ended = new AbortController();
  let answered = 0;
  const failures: string[] = [];
  const run = async (): Promise<void> => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!ended.signal.aborted) {
      try {
        const [response] = (await once(http.get(app.origin, { agent }), 'response')) as [IncomingMessage];
        await text(response);
        if (response.statusCode === 200) answered++;
        else failures.push(`status ${response.statusCode}`);
      } catch (error) {
        failures.push(String(error));
      }
    }
    agent.destroy();
  };
  const clients = Array.from({ length: clientCount }, run);
  return {
    async stop() {
      ended.abort();
      await Promise.all(clients);
      return { answered, failures };
    },
  };
}

test('a counter that strict clients write to through five handoffs has every answered increment', async (t) => {
  const app = await startApp(t, counter);
  const clients = startClients(app, 8);
  const pids = new Set<number>();
  for (let round = 0; round < 5; round++) {
    pids.add((await ask<{ pid: number }>(app, '/count')).pid);
    const { path, result, timings } = await deploy(app);
    assert.deepEqual([path, result], ['handoff', 'committed']);
    assert.ok((timings as { stateBytes: number }).stateBytes > 0);
  }
  const { answered, failures } = await clients.stop();
  assert.deepEqual(failures, []);
  assert.equal(pids.size, 5);
  const counted = await ask<{ answered: number; metered: number }>(app, '/count');
  // What is in private fields can't be put into an object that is there: the new code was evaluated with it.
  assert.deepEqual([counted.answered, counted.metered], [answered, answered]);
  assert.ok(answered > 500, `${answered} answers`);
});

const guestsOne: Files = {
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const guests = state('guests', () => [] as string[], { version: 1 });
createServer((request, response) => {
  if (request.method === 'POST') guests.push(request.url.slice(1));
  response.end(JSON.stringify({ guests, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
};

const guestsTwo: Files = {
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const guests = state('guests', () => new Map<string, number>(), {
  version: 2,
  migrate: {
    2: {
      up: (names: string[]) => new Map(names.map((name) => [name, name.length])),
      down: (guests: Map<string, number>) => [...guests.keys()],
    },
  },
});
const atStart = guests.size;
createServer((request, response) => {
  if (request.method === 'POST') guests.set(request.url.slice(1), 0);
  response.end(JSON.stringify({ guests: [...guests], atStart, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
};

async function post(app: TestApp, name: string): Promise<void> {
  const sent = http.request(`${app.origin}/${name}`, { method: 'POST', agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await text(response);
}

interface Guests {
  readonly guests: readonly unknown[];
  readonly pid: number;
  readonly atStart?: number;
}

test('a handoff takes a state up, and one to the older release takes it down with what was written since', async (t) => {
  const app = await startApp(t, guestsOne);
  await post(app, 'Ann');
  const before = await ask<Guests>(app, '/');
  app.commit(guestsTwo);
  const up = await deploy(app);
  assert.deepEqual([up['path'], up['result']], ['handoff', 'committed'], JSON.stringify(up));
  const middle = await ask<Guests>(app, '/');
  // It was there when the new code was evaluated.
  assert.deepEqual([middle.guests, middle.atStart], [[['Ann', 3]], 1]);
  await post(app, 'Bob');
  const down = await deploy(app, 'HEAD~1');
  assert.deepEqual([down['path'], down['result']], ['handoff', 'committed'], JSON.stringify(down));
  const after = await ask<Guests>(app, '/');
  assert.deepEqual(after.guests, ['Ann', 'Bob']);
  assert.equal(new Set([before.pid, middle.pid, after.pid]).size, 3);
});

test('a way down that nobody has said refuses the handoff, and the newer code serves on with its state', async (t) => {
  const app = await startApp(t, guestsOne);
  await post(app, 'Ann');
  app.commit({ 'server.ts': (guestsTwo['server.ts'] ?? '').replace(/down: .*/, '') });
  await deploy(app);
  const { pid } = await ask<Guests>(app, '/');
  const refused = await deploy(app, 'HEAD~1');
  const { code, message } = refused['error'] as { code: string; message: string };
  assert.deepEqual([refused['result'], code], ['rejected', 'ERR_MIDFLIGHT_STATE_UNMIGRATED']);
  assert.match(message, /"guests" has version 2 .* knows 1.*no way down from 2/);
  await post(app, 'Bob');
  const after = await ask<Guests>(app, '/');
  assert.deepEqual(
    [after.guests, after.pid],
    [
      [
        ['Ann', 3],
        ['Bob', 0],
      ],
      pid,
    ],
  );
});

test('a state of 120 MB goes over, and its size is told', async (t) => {
  const app = await startApp(t, {
    'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const chunks = state('chunks', (): Uint8Array[] => []);
createServer((request, response) => {
  if (request.url === '/fill')
    for (let at = 0; at < 120; at++) chunks.push(new Uint8Array(1_000_000).fill(at));
  const isWhole = chunks.every((chunk, at) => chunk.length === 1_000_000 && chunk[at] === at && chunk.at(-1) === at);
  response.end(JSON.stringify({ count: chunks.length, isWhole, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  const { pid } = await ask<{ pid: number }>(app, '/fill');
  const { result, timings } = await deploy(app);
  assert.equal(result, 'committed');
  const { stateBytes, stateMs } = timings as { stateBytes: number; stateMs: number };
  assert.ok(stateBytes > 120_000_000 && stateBytes < 121_000_000, `${stateBytes} bytes`);
  assert.ok(stateMs > 0);
  assert.match(
    app.log(),
    /states passed from worker \d+ to \d+: "chunks" 12\d+ bytes in \d+ ms; quiet after \d+ ms/,
  );
  const after = await ask<{ count: number; isWhole: boolean; pid: number }>(app, '/');
  assert.deepEqual([after.count, after.isWhole, after.pid === pid], [120, true, false]);
});

test('a state that can not be encoded refuses the handoff by its name, and is none of its business where it is local', async (t) => {
  const server = (options: string): Files => ({
    'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const guests = state('guests', () => [] as string[]);
const tasks = state('tasks', () => ({ run: () => 1 })${options});
createServer((request, response) => {
  if (request.method === 'POST') guests.push(request.url.slice(1));
  response.end(JSON.stringify({ guests, tasks: tasks.run(), pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  const app = await startApp(t, server(''));
  await post(app, 'Ann');
  const { pid } = await ask<Guests>(app, '/');
  const clients = startClients(app, 4);
  const refused = await deploy(app);
  assert.deepEqual((await clients.stop()).failures, []);
  const { code, message } = refused['error'] as { code: string; message: string };
  assert.deepEqual([refused['result'], code], ['rejected', 'ERR_MIDFLIGHT_STATE_UNENCODABLE']);
  assert.match(message, /The state "tasks" can't be copied/);
  await post(app, 'Bob');
  const between = await ask<Guests>(app, '/');
  assert.deepEqual([between.guests, between.pid], [['Ann', 'Bob'], pid]);
  app.commit(server(', { local: true }'));
  const { result } = await deploy(app);
  assert.equal(result, 'committed');
  const after = await ask<Guests>(app, '/');
  assert.deepEqual([after.guests, after.pid === pid], [['Ann', 'Bob'], false]);
});

test('an old process that is killed while it sends refuses the handoff, and the next deploy works', async (t) => {
  const app = await startApp(t, {
    'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const armed = state('armed', () => ({ isOn: false }), { local: true });
let encodings = 0;
state('guests', () => ['Ann'], {
  encode: (guests) => {
    // Once early, and once for good.
    if (++encodings === 2 && armed.isOn) process.kill(process.pid, 'SIGKILL');
    return guests;
  },
  decode: (guests: string[]) => guests,
});
createServer((request, response) => {
  if (request.url === '/arm') armed.isOn = true;
  response.end('served');
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  await app.get('/arm');
  const refused = await deploy(app);
  assert.equal(refused['result'], 'rejected', JSON.stringify(refused));
  assert.match(JSON.stringify(refused['error']), /STATE_TRANSFER_FAILED.*worker \d+ ended before/);
  // Connections wait until the process has come back.
  assert.equal(await app.get('/'), 'served');
  assert.equal((await deploy(app))['result'], 'committed');
});

test('a new process that is killed while it takes over refuses the handoff, and the old one serves on', async (t) => {
  const app = await startApp(t, guestsOne);
  await post(app, 'Ann');
  const { pid } = await ask<Guests>(app, '/');
  // Once for the early copy, and once for the last.
  const up =
    'up: (names: string[]) => (globalThis.ups = 1 + (globalThis.ups ?? 0)) === 2 && process.kill(process.pid, "SIGKILL") || new Map(),';
  app.commit({ 'server.ts': (guestsTwo['server.ts'] ?? '').replace(/up: .*/, up) });
  const refused = await deploy(app);
  assert.equal(refused['result'], 'rejected', JSON.stringify(refused));
  assert.match(JSON.stringify(refused['error']), /STATE_TRANSFER_FAILED/);
  await post(app, 'Bob');
  const after = await ask<Guests>(app, '/');
  assert.deepEqual([after.guests, after.pid], [['Ann', 'Bob'], pid]);
});

const watched = (healthy: boolean): Files => ({
  'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const guests = state('guests', () => [] as string[]);
let isHealthy = true;
createServer((request, response) => {
  if (request.url === '/health') response.statusCode = isHealthy ? 200 : 500;
  else if (request.url === '/fail') isHealthy = ${healthy};
  else if (request.method === 'POST') guests.push(request.url.slice(1));
  response.end(JSON.stringify({ guests, pid: process.pid }));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
});

test('what was written in a probation that fails goes back to the processes before', async (t) => {
  const app = await startApp(t, watched(true), {
    probationMs: 60_000,
    health: { path: '/health', intervalMs: 50 },
  });
  await post(app, 'Ann');
  const { pid } = await ask<Guests>(app, '/');
  app.commit(watched(false));
  const deploying = deploy(app);
  while ((await ask<Guests>(app, '/')).pid === pid);
  await post(app, 'Bob');
  await app.get('/fail');
  const { result } = await deploying;
  assert.equal(result, 'rolled-back');
  const after = await ask<Guests>(app, '/');
  assert.deepEqual([after.guests, after.pid], [['Ann', 'Bob'], pid]);
  assert.match(app.log(), /states passed back to worker/);
});

test('a new process that dies in probation leaves the states as they were passed, and that is said by name', async (t) => {
  const app = await startApp(t, watched(true), { probationMs: 60_000 });
  await post(app, 'Ann');
  const { pid } = await ask<Guests>(app, '/');
  app.commit(watched(false));
  const deploying = deploy(app);
  let next = pid;
  while (next === pid) next = (await ask<Guests>(app, '/')).pid;
  await post(app, 'Bob');
  process.kill(next, 'SIGKILL');
  assert.equal((await deploying)['result'], 'rolled-back');
  const after = await ask<Guests>(app, '/');
  assert.deepEqual([after.guests, after.pid], [['Ann'], pid]);
  assert.match(app.log(), /the states "guests" of worker \d+ are as they were before the handoff: /);
});

test('a request that outlasts quiesceTimeoutMs is answered, and what it writes then is reported as lost by name', async (t) => {
  const app = await startApp(
    t,
    {
      'server.ts': `
import { createServer } from 'node:http';
import { state } from 'midflight';
const guests = state('guests', () => [] as string[]);
state('other', () => ({ untouched: true }));
let finish: (() => void) | null = null;
process.on('SIGUSR2', () => finish?.());
createServer((request, response) => {
  if (request.url !== '/slow') return response.end(JSON.stringify({ guests, pid: process.pid }));
  response.write('began ');
  finish = () => {
    guests.push('late');
    response.end('ended');
  };
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
    },
    { quiesceTimeoutMs: 50, probationMs: 60_000 },
  );
  const { pid } = await ask<Guests>(app, '/');
  const [slow] = (await once(http.get(`${app.origin}/slow`, { agent: false }), 'response')) as [
    IncomingMessage,
  ];
  const deploying = deploy(app);
  while ((await ask<Guests>(app, '/')).pid === pid);
  process.kill(pid, 'SIGUSR2');
  assert.equal(await text(slow), 'began ended');
  await waitForLog(app.supervisor, () => app.log(), /what worker \d+ wrote .* is lost/);
  // The next deploy ends the probation.
  app.commit({ 'midflight.config.json': JSON.stringify(config) });
  await app.midflight('deploy');
  const { result, reasons } = await deploying;
  assert.equal(result, 'committed');
  assert.match(
    JSON.stringify(reasons),
    /MF2013.*what worker \d+ wrote after its states had been passed is lost: guests"/,
  );
  assert.match(app.log(), /with 1 requests still in flight/);
  assert.deepEqual((await ask<Guests>(app, '/')).guests, []);
});

test('of fewer workers each gets the states of one before, and the others are named', async (t) => {
  const app = await startApp(t, counter, { workers: 2 });
  await app.get('/');
  app.commit({ 'midflight.config.json': JSON.stringify({ ...config, workers: 1 }) });
  const { result, path } = await deploy(app);
  assert.deepEqual([result, path], ['committed', 'handoff']);
  await app.printed(/worker \d+ has no successor, so its states are lost: "count"/);
});

test('an app without states is handed over as ever', async (t) => {
  const app = await startApp(t, {
    'server.ts': `
import { createServer } from 'node:http';
createServer((request, response) => response.end('none')).listen(Number(process.env.PORT), '127.0.0.1');
`,
  });
  const { result, timings } = await deploy(app);
  assert.equal(result, 'committed');
  assert.equal('stateBytes' in (timings as object), false);
});
