import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { findHeldElsewhere } from '../../src/runtime/held-elsewhere.ts';

test('a socket is found that another process has, until that has ended, and no other', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const sockets = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(sockets.map(async (socket) => once(socket, 'connect')));
  const [shared = -1, own = -1] = sockets.map(
    (socket) => (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd,
  );
  assert.deepEqual([...findHeldElsewhere([shared, own])], []);
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', shared] });
  await once(child, 'spawn');
  assert.deepEqual([...findHeldElsewhere([shared, own])], [shared]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual([...findHeldElsewhere([shared, own])], []);
});
