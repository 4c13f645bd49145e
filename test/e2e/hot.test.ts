/** Modules that are replaced in place, in a service with two workers: what lives there goes on with new methods, and comes back. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createTestApp, waitForLog, type TestApp } from '../support/app.ts';

const server = `
import { createServer } from 'node:http';
import { state } from 'midflight';
import { Room, describe } from './room.ts';
console.log('server evaluated');
const rooms = state('rooms', () => new Map<string, Room>([['hall', new Room('hall')]]), { local: true });
const hall = rooms.get('hall')!;
const captured = describe;
const server = createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
  if (request.url === '/now') process.emit('now');
  if (request.url === '/slow') for await (const _ of request) response.write('begun ');
  response.end(JSON.stringify({ said: hall.say(), described: captured(), isRoom: hall instanceof Room, pid: process.pid }));
});
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  socket.on('data', () => socket.write(hall.say()));
});
server.listen(Number(process.env.PORT), '127.0.0.1');
`;

const room = (word: string, more = ''): string => `
export class Room {
  #name: string;
  constructor(name: string) { this.#name = name; }
  say(): string { return this.#name + ' ${word}'; }
}
export function describe(): string { return 'rooms that say ${word}'; }
export const word = '${word}';
import.meta.hot?.accept((next) => {
  if (next?.word === 'unwanted') throw new Error('this word is not wanted');
});
${more}
`;

interface Answer {
  readonly said: string;
  readonly described: string;
  readonly isRoom: boolean;
  readonly pid: number;
}

interface Report {
  readonly path: string;
  readonly result: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly error: { readonly message: string } | null;
}

const config = {
  entry: 'server.ts',
  workers: 2,
  probationMs: 300,
  readyTimeoutMs: 60_000,
  drainTimeoutMs: 30_000,
};

async function startApp(t: TestContext, source = room('one'), more: object = {}): Promise<TestApp> {
  const app = await createTestApp({
    files: { 'server.ts': server, 'room.ts': source },
    config: { ...config, ...more },
  });
  t.after(() => app.dispose());
  const supervisor = await app.start();
  await waitForLog(supervisor, () => app.log(), /(server evaluated[^]*){2}/);
  return app;
}

async function deploy(app: TestApp): Promise<Report> {
  const { json, stderr } = await app.midflight('deploy', '--json');
  assert.ok('result' in json, `${JSON.stringify(json)} ${stderr}`);
  return json as unknown as Report;
}

/** What each worker answers, by pid; who accepts a connection is for the kernel to say. */
async function askAll(app: TestApp): Promise<Map<number, Answer>> {
  const answers = new Map<number, Answer>();
  while (answers.size < 2) {
    const answer = JSON.parse(await app.get()) as Answer;
    answers.set(answer.pid, answer);
  }
  return answers;
}

/** All workers say a word; gives their pids. */
async function assertWord(app: TestApp, word: string): Promise<number[]> {
  const answers = await askAll(app);
  for (const [pid, answer] of answers)
    assert.deepEqual(answer, {
      said: `hall ${word}`,
      described: `rooms that say ${word}`,
      isRoom: true,
      pid,
    });
  return [...answers.keys()].toSorted((left, right) => left - right);
}

async function upgrade(app: TestApp): Promise<Socket> {
  const socket = connect(app.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

async function converse(socket: Socket): Promise<string> {
  socket.write('say');
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

async function askOver(app: TestApp, agent: http.Agent): Promise<Answer> {
  const request = http.get(app.origin, { agent });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return JSON.parse(await text(response)) as Answer;
}

const evaluationCount = (app: TestApp): number => app.log().split('server evaluated').length - 1;

test('a module is replaced in place in every worker, and all that lives or is open goes on', async (t) => {
  const app = await startApp(t);
  const pids = await assertWord(app, 'one');
  const socket = await upgrade(app);
  assert.equal(await converse(socket), 'hall one');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => {
    socket.destroy();
    agent.destroy();
  });
  const kept = await askOver(app, agent);
  const slow = http.request(`${app.origin}/slow`, { method: 'POST', agent: false });
  slow.write('x');
  const [response] = (await once(slow, 'response')) as [IncomingMessage];

  app.commit({ 'room.ts': room('two') });
  const plan = await app.midflight('plan');
  assert.match(plan.stdout, /changed +room\.ts.*replaced in place/);
  assert.doesNotMatch(plan.stdout, /reached/);
  const report = await deploy(app);
  assert.deepEqual([report.path, report.result], ['swap', 'committed']);
  assert.deepEqual(await assertWord(app, 'two'), pids);
  assert.equal(evaluationCount(app), 2);

  assert.equal(await converse(socket), 'hall two');
  assert.deepEqual(
    [(await askOver(app, agent)).said, (await askOver(app, agent)).pid],
    ['hall two', kept.pid],
  );
  slow.end();
  assert.match(await text(response), /^begun .*"said":"hall two"/);

  const { json } = await app.midflight('rollback', '--json');
  assert.equal(json['result'], 'committed');
  assert.deepEqual(await assertWord(app, 'one'), pids);
  assert.equal(await converse(socket), 'hall one');
  assert.equal(evaluationCount(app), 2);
});

test('a version that the one before does not want comes in new processes, and the report says why', async (t) => {
  const app = await startApp(t);
  const pids = await assertWord(app, 'one');
  app.commit({ 'room.ts': room('unwanted') });
  const report = await deploy(app);
  assert.deepEqual([report.path, report.result], ['handoff', 'committed']);
  assert.match(
    report.reasons.find(({ code }) => code === 'MF2005')?.message ?? '',
    /this word is not wanted/,
  );
  const after = await assertWord(app, 'unwanted');
  assert.ok(after.every((pid) => !pids.includes(pid)));
});

test('a version that fails in probation gives living instances their methods back', async (t) => {
  const app = await startApp(t, room('one'), { probationMs: 60_000 });
  const pids = await assertWord(app, 'one');
  const socket = await upgrade(app);
  t.after(() => socket.destroy());
  const late = `process.on('now', () => setImmediate(() => { throw new Error('late'); }));`;
  app.commit({ 'room.ts': room('bad', late) });
  let isOver = false;
  const deploying = deploy(app).finally(() => (isOver = true));
  // Before its worker has committed nobody listens.
  while (!isOver) await app.get('/now');
  const report = await deploying;
  assert.deepEqual([report.path, report.result], ['swap', 'rolled-back']);
  assert.deepEqual(await assertWord(app, 'one'), pids);
  assert.equal(await converse(socket), 'hall one');
  app.commit({ 'room.ts': room('two'), 'midflight.config.json': JSON.stringify(config) });
  assert.equal((await deploy(app)).result, 'committed');
  assert.deepEqual(await assertWord(app, 'two'), pids);
  assert.equal(await converse(socket), 'hall two');
});

test('what living instances would lack is said, and the importers are evaluated again', async (t) => {
  const app = await startApp(t);
  const pids = await assertWord(app, 'one');
  app.commit({ 'room.ts': room('two').replace('#name: string;', '#name: string; #added = 1;') });
  const plan = await app.midflight('plan');
  assert.match(plan.stdout, /MF1004 .*old instances of Room would lack #added/);
  assert.match(plan.stdout, /reached +server\.ts/);
  const { stdout, stderr } = await app.midflight('deploy');
  assert.match(stdout + stderr, /MF1004 .*#added/);
  assert.equal(evaluationCount(app), 4);
  assert.deepEqual(
    [...(await askAll(app)).keys()].toSorted((left, right) => left - right),
    pids,
  );
});

test('a module that has declined is replaced by new processes', async (t) => {
  const decline = 'import.meta.hot?.decline();';
  const app = await startApp(t, room('one', decline));
  const pids = await assertWord(app, 'one');
  app.commit({ 'room.ts': room('two', decline) });
  const report = await deploy(app);
  assert.deepEqual([report.path, report.result], ['handoff', 'committed']);
  assert.ok(report.reasons.some(({ code }) => code === 'MF2004'));
  const after = await assertWord(app, 'two');
  assert.ok(after.every((pid) => !pids.includes(pid)));
});
