/** What all systems serve in the benchmarks of handoffs: a plain server, which knows nothing of any of them.
 *  `GET /` names the version and the process, `POST /upload` counts bytes, `GET /events?ms=` streams ten events, `GET /arrivals` has the
 *  times at which connections came; a WebSocket gets back what it says, and how much it has said. */

import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { version } from './version.ts';

const EVENTS = 10;

export interface Service {
  readonly server: Server;
  readonly sockets: WebSocketServer;
}

/** How many messages a WebSocket has sent. */
export const heard = new WeakMap<WebSocket, number>();
/** In ms since 1970. */
const arrivals: number[] = [];

export function createService(): Service {
  const server = http.createServer((request, response) => {
    // A client, or a proxy, that goes away in the middle.
    answer(request, response).catch(() => response.destroy());
  });
  const { KEEP_ALIVE_MS } = process.env;
  if (KEEP_ALIVE_MS !== undefined) server.keepAliveTimeout = Number(KEEP_ALIVE_MS);
  server.on('connection', noteArrival);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => converse(socket, 0));
  return { server, sockets };
}

export function noteArrival(): void {
  arrivals.push(performance.timeOrigin + performance.now());
}

export function converse(socket: WebSocket, heardBefore: number): void {
  let count = heardBefore;
  heard.set(socket, count);
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    heard.set(socket, ++count);
    socket.send(`${data.toString()} ${count} ${process.pid}`);
  });
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
  const body =
    pathname === '/arrivals' ? arrivals : { version, versionAfter: version, length, pid: process.pid };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

async function stream(response: ServerResponse, ms: number): Promise<void> {
  response.setHeader('content-type', 'text/event-stream');
  for (let count = 0; count < EVENTS; count++) {
    response.write(`data: ${JSON.stringify({ version, versionAfter: version })}\n\n`);
    await sleep(ms);
  }
  response.end();
}
