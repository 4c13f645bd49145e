/** The same small service written for each framework as its users write it: nothing in it knows of Midflight. */

import type { Files } from './app.ts';

export const frameworkNames = ['http', 'express', 'fastify', 'koa', 'hono'] as const;
export type FrameworkName = (typeof frameworkNames)[number];

/** Both modules carry the version, so that an answer made of two versions shows. */
export function toVersionFiles(version: string): Files {
  return {
    'first.ts': `export const first: string = '${version}';\n`,
    'second.ts': `export function second(): string { return '${version}'; }\n`,
  };
}

/** The files of the service: `GET /` and `GET /slow?ms=` answer with both versions and the pid, `POST /upload` with the
 *  length of the body, `GET /events` with ten server-sent events. */
export function toFrameworkApp(name: FrameworkName, version: string): Files {
  return {
    'package.json': JSON.stringify({
      name: 'app',
      private: true,
      type: 'module',
      scripts: { start: 'node server.ts' },
    }),
    'answer.ts': answer,
    'server.ts': servers[name],
    ...toVersionFiles(version),
  };
}

const answer = `
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { first } from './first.ts';
import { second } from './second.ts';

export async function answer(ms: number): Promise<{ version: string; versionAfter: string; pid: number }> {
  const version = first;
  if (ms > 0) await sleep(ms);
  return { version, versionAfter: second(), pid: process.pid };
}

export async function countBytes(body: AsyncIterable<Uint8Array>): Promise<{ version: string; versionAfter: string; length: number }> {
  const version = first;
  let length = 0;
  for await (const chunk of body) length += chunk.length;
  return { version, versionAfter: second(), length };
}

export async function* events(): AsyncGenerator<string> {
  const version = first;
  for (let index = 0; index < 10; index++) {
    yield 'data: ' + JSON.stringify({ index, version, versionAfter: second() }) + '\\n\\n';
    await sleep(100);
  }
}

export async function stream(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for await (const event of events()) response.write(event);
  response.end();
}

export function toMs(request: IncomingMessage): number {
  return Number(new URL(request.url ?? '/', 'http://localhost').searchParams.get('ms') ?? 0);
}
`;

const servers: Record<FrameworkName, string> = {
  http: `
import { createServer, type ServerResponse } from 'node:http';
import { answer, countBytes, stream, toMs } from './answer.ts';

const reply = (response: ServerResponse, body: unknown): void => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/events') await stream(response);
  else if (pathname === '/upload') reply(response, await countBytes(request));
  else reply(response, await answer(toMs(request)));
}).listen(Number(process.env.PORT), '127.0.0.1');
`,
  express: `
import express from 'express';
import { answer, countBytes, stream, toMs } from './answer.ts';

const app = express();
app.get(['/', '/slow'], async (request, response) => void response.json(await answer(toMs(request))));
app.post('/upload', async (request, response) => void response.json(await countBytes(request)));
app.get('/events', async (request, response) => stream(response));
app.listen(Number(process.env.PORT), '127.0.0.1', (error) => {
  if (error) throw error;
});
`,
  fastify: `
import fastify from 'fastify';
import { Readable } from 'node:stream';
import { answer, countBytes, events, toMs } from './answer.ts';

const app = fastify();
app.addContentTypeParser('application/octet-stream', (request, payload, done) => done(null, payload));
app.get('/', async (request) => answer(toMs(request.raw)));
app.get('/slow', async (request) => answer(toMs(request.raw)));
app.post('/upload', { bodyLimit: 100_000_000 }, async (request) => countBytes(request.body as Readable));
app.get('/events', async (request, reply) => {
  reply.type('text/event-stream');
  return reply.send(Readable.from(events()));
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
`,
  koa: `
import Koa from 'koa';
import { Readable } from 'node:stream';
import { answer, countBytes, events, toMs } from './answer.ts';

const app = new Koa();
app.use(async (context) => {
  if (context.path === '/upload') context.body = await countBytes(context.req);
  else if (context.path === '/events') {
    context.type = 'text/event-stream';
    context.body = Readable.from(events());
  } else context.body = await answer(toMs(context.req));
});
app.listen(Number(process.env.PORT), '127.0.0.1');
`,
  hono: `
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import { answer, countBytes, events } from './answer.ts';

const app = new Hono();
const get = async (context) => context.json(await answer(Number(context.req.query('ms') ?? 0)));
app.get('/', get);
app.get('/slow', get);
app.post('/upload', async (context) => context.json(await countBytes(context.req.raw.body ?? [])));
app.get('/events', (context) => {
  context.header('content-type', 'text/event-stream');
  return stream(context, async (out) => {
    for await (const event of events()) await out.write(event);
  });
});
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' });
`,
};
