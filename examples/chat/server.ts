/** Chat rooms over WebSockets, with the conversation in memory. */

import Fastify from 'fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { messageVersion } from './message.ts';
import { conversation, join, leave, say } from './rooms.ts';
import { version } from './version.ts';

const app = Fastify();

app.get<{ Querystring: { ms?: string } }>('/', async ({ query }) => {
  const before = version;
  await sleep(Number(query.ms ?? 0));
  return { version: before, versionAfter: messageVersion, pid: process.pid };
});

app.get<{ Params: { name: string } }>('/rooms/:name', async ({ params }) => conversation(params.name));

new WebSocketServer({ server: app.server }).on('connection', (socket, request) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const room = searchParams.get('room') ?? 'lobby';
  const author = searchParams.get('name') ?? 'somebody';
  join(room, socket);
  socket.on('message', (data) => say(room, author, String(data)));
  socket.on('close', () => leave(room, socket));
});

await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' });
