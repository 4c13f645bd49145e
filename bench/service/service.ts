/** What all systems serve in the benchmarks of handoffs: a plain server, which knows nothing of any of them.
 *  `GET /` names the version, `POST /upload` counts bytes, `GET /events?ms=` streams ten events, a WebSocket gets back what it says. */

import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { version } from './version.ts';

const EVENTS = 10;

export interface Service {
  readonly server: Server;
  readonly sockets: WebSocketServer;
}

export function createService(): Service {
  const server = http.createServer((request, response) => void answer(request, response));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => socket.send(`${data.toString()} to ${process.pid}`));
  });
  return { server, sockets };
}

/** On the socket that was passed, or on the port of the environment; says so to a parent that listens. */
export function listen(server: Server): void {
  const tell = (): void => void process.send?.('ready');
  const { LISTEN_FD, PORT } = process.env;
  if (LISTEN_FD === undefined) server.listen({ port: Number(PORT), host: '127.0.0.1' }, tell);
  else server.listen({ fd: Number(LISTEN_FD) }, tell);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  response.setHeader('x-version', version);
  if (pathname === '/events') return stream(response, Number(searchParams.get('ms')));
  let length = 0;
  if (request.method === 'POST') for await (const chunk of request) length += (chunk as Buffer).length;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ version, versionAfter: version, length }));
}

async function stream(response: ServerResponse, ms: number): Promise<void> {
  response.setHeader('content-type', 'text/event-stream');
  for (let count = 0; count < EVENTS; count++) {
    response.write(`data: ${JSON.stringify({ version, versionAfter: version })}\n\n`);
    await sleep(ms);
  }
  response.end();
}
