/** WebSockets pass between two processes, whose parent relays them; what the transport is makes no difference here. */

import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';
import { startNumberedClient, type NumberedClient } from './numbered-client.ts';

const mainFile = fileURLToPath(new URL('carrying-process.ts', import.meta.url));

interface Message {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Starts a process; resolves when it listens. */
async function start(t: TestContext): Promise<{ process: ChildProcess; port: number }> {
  const child = fork(mainFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  const [message] = (await once(child, 'message')) as [Message];
  assert.equal(message.type, 'listening');
  return { process: child, port: Number(message['port']) };
}

/** Moves all WebSockets of one process to another; resolves when none is on its way. */
async function move(
  from: ChildProcess,
  to: ChildProcess,
  killAfter = Number.POSITIVE_INFINITY,
): Promise<{ accepted: number; refused: string[] }> {
  let offered = 0;
  const handles = new Map<number, { close(): void }>();
  const outcome = { accepted: 0, refused: [] as string[] };
  const { promise, resolve } = Promise.withResolvers<void>();
  const onFrom = (message: Message, handle: { close(): void }): void => {
    if (message.type === 'carried') resolve();
    if (message.type !== 'carry') return;
    handles.set(Number(message['carryId']), handle);
    if (offered++ >= killAfter) return refuse(message);
    to.send({ ...message, type: 'arrive' }, handle as never);
    if (offered === killAfter) to.kill('SIGKILL');
  };
  const refuse = ({ carryId }: Message): void => {
    outcome.refused.push('killed');
    handles.get(Number(carryId))?.close();
    handles.delete(Number(carryId));
    from.send({ type: 'answer', carryId, accepted: false });
  };
  to.once('exit', () => {
    for (const carryId of handles.keys()) refuse({ type: 'answer', carryId });
  });
  const onTo = (message: Message): void => {
    if (message.type !== 'answer') return;
    if (message['accepted'] === true) outcome.accepted++;
    else outcome.refused.push(String(message['reason']));
    handles.get(Number(message['carryId']))?.close();
    handles.delete(Number(message['carryId']));
    from.send(message);
  };
  from.on('message', onFrom as never);
  to.on('message', onTo);
  from.send({ type: 'carry' });
  await promise;
  from.off('message', onFrom as never);
  to.off('message', onTo);
  return outcome;
}

/** What work in one process still sends reaches the other, whichever moves come after. */
function passLate(one: ChildProcess, other: ChildProcess): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('message', (message: Message) => {
      if (message.type === 'late') to.send(message);
    });
  }
}

async function ask(child: ChildProcess): Promise<Message> {
  child.send({ type: 'count' });
  for (;;) {
    const [message] = (await once(child, 'message')) as [Message];
    if (message.type === 'count') return message;
  }
}

async function connect(port: number, count: number, pauseMs: number): Promise<NumberedClient[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => startNumberedClient({ port, index, pauseMs })),
  );
}

function faultsOf(clients: readonly NumberedClient[]): string[] {
  return clients.flatMap(({ tally }, index) => tally.faults.map((fault) => `${index}: ${fault}`));
}

test('200 WebSockets under traffic move 20 times to and fro, and none loses, doubles or reorders anything', async (t) => {
  const [one, other] = [await start(t), await start(t)];
  passLate(one.process, other.process);
  const clients = await connect(one.port, 200, 250);
  for (let times = 0; times < 20; times++) {
    const [from, to] = times % 2 === 0 ? [one, other] : [other, one];
    const outcome = await move(from.process, to.process);
    assert.deepEqual(outcome, { accepted: 200, refused: [] });
  }
  await Promise.all(clients.map((client) => client.finish()));
  assert.deepEqual(faultsOf(clients), []);
  const total = (key: 'sent' | 'echoed' | 'late' | 'pushes' | 'pongs'): number =>
    clients.reduce((sum, { tally }) => sum + tally[key], 0);
  assert.equal(total('echoed') + total('late'), total('sent'));
  for (const key of ['sent', 'late', 'pushes', 'pongs'] as const) assert.ok(total(key) > 0, key);
  t.diagnostic(
    JSON.stringify({
      sent: total('sent'),
      late: total('late'),
      pushes: total('pushes'),
      pongs: total('pongs'),
    }),
  );
});

test('what is refused goes on where it was, and what was sent meanwhile arrives', async (t) => {
  const [one, other] = [await start(t), await start(t)];
  const clients = await connect(one.port, 20, 5);
  other.process.send({ type: 'failRestore', count: 20 });
  const { accepted, refused } = await move(one.process, other.process);
  assert.equal(accepted, 0);
  assert.match(refused[0] ?? '', /ERR_MIDFLIGHT_WEB_SOCKET_UNRESTORED|"restore".*not here/);
  const sentThen = clients.map(({ tally }) => tally.sent);
  while (clients.some(({ tally }, index) => tally.sent < (sentThen[index] ?? 0) + 10))
    await once(clients[0]!.socket, 'message');
  await Promise.all(clients.map((client) => client.finish()));
  assert.deepEqual(faultsOf(clients), []);
  const { sessions } = await ask(other.process);
  assert.equal(sessions, 0);
});

test('when the receiver is killed, those that it has not answered for go on where they were', async (t) => {
  const [one, other] = [await start(t), await start(t)];
  const clients = await connect(one.port, 50, 10);
  const { accepted, refused } = await move(one.process, other.process, 25);
  assert.equal(accepted + refused.length, 50);
  assert.ok(refused.length >= 25);
  await Promise.all(clients.map((client) => client.finish()));
  const closed = clients.filter(({ tally }) => tally.faults.some((fault) => fault.startsWith('closed 1006')));
  assert.equal(closed.length, accepted);
  const whole = clients.filter((client) => !closed.includes(client));
  assert.deepEqual(faultsOf(whole), []);
});
