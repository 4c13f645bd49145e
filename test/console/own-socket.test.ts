import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { assertOwnSocket, guardFolder } from '../../src/console/own-socket.ts';

async function listen(t: TestContext): Promise<{ folder: string; socket: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'midflight-socket-'));
  const socket = path.join(folder, 'control.sock');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  chmodSync(socket, 0o600);
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, socket };
}

const unsafe = { code: 'ERR_MIDFLIGHT_CONTROL_SOCKET_UNSAFE' };

test('a socket of the own user, for nobody else, is spoken to; a missing one is left to whoever connects', async (t) => {
  const { folder, socket } = await listen(t);
  assertOwnSocket(socket);
  assertOwnSocket(path.join(folder, 'none.sock'));
});

test('a socket that others may open, or could have put there, is not spoken to', async (t) => {
  const { folder, socket } = await listen(t);
  chmodSync(socket, 0o660);
  assert.throws(() => assertOwnSocket(socket), unsafe);
  chmodSync(socket, 0o600);
  chmodSync(folder, 0o770);
  assert.throws(() => assertOwnSocket(socket), unsafe);
  guardFolder(socket);
  assertOwnSocket(socket);
  assert.equal(statSync(folder).mode & 0o777, 0o750);
});

test('a file in the place of the socket is not spoken to', async (t) => {
  const { folder } = await listen(t);
  const file = path.join(folder, 'file');
  writeFileSync(file, '', { mode: 0o600 });
  assert.throws(() => assertOwnSocket(file), unsafe);
});

test('a folder that is a link is the folder that it leads to, and is opened to nobody', async (t) => {
  const { folder } = await listen(t);
  const link = `${folder}.link`;
  symlinkSync(folder, link);
  t.after(() => rmSync(link));
  const socket = path.join(link, 'control.sock');
  guardFolder(socket);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assertOwnSocket(socket);
  chmodSync(folder, 0o770);
  assert.throws(() => assertOwnSocket(socket), unsafe);
});
