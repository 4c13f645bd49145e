/** A process of the carry tests: serves over adopted servers, and does as it is asked. */

import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';

import { cert, key } from './servers-certificate.ts';
import { openChannel } from '../../src/runtime/channel.ts';
import { type GenerationScope, runInScope } from '../../src/runtime/generation-scope.ts';
import { adoptServers } from '../../src/runtime/servers/adoption.ts';
import type { ListenerHandle } from '../../src/runtime/servers/listener-source.ts';

export type CarryRequest =
  /** Prepare, and commit. */
  | { readonly type: 'serve'; readonly path: string | null; readonly settings: ServerSettings }
  | { readonly type: 'carry'; readonly timeoutMs: number }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** How many sockets the app has seen, and how many are open. */
  | { readonly type: 'counts' };

export interface ServerSettings {
  readonly protocol?: 'http' | 'https' | 'http2';
  readonly keepAliveTimeout?: number;
  readonly keepAliveTimeoutBuffer?: number;
  readonly headersTimeout?: number;
  readonly requestTimeout?: number;
  readonly connectionsCheckingInterval?: number;
  readonly maxConnections?: number;
}

const channel = openChannel<CarryRequest, never>({
  onRequest,
  onCarry: (carried, handle) => servers.takeOver(carried, handle),
  onDisconnect: () => process.exit(0),
});
channel.hold();
const servers = adoptServers({
  source: { acquire: async (address) => (await channel.requestListener(address)) as ListenerHandle },
});
let connectionCount = 0;

async function onRequest(request: CarryRequest): Promise<unknown> {
  switch (request.type) {
    case 'serve':
      return serve(request.path, request.settings);
    case 'carry':
      return servers.giveAway({
        give: channel.give,
        sendNote: channel.sendNote,
        timeoutMs: request.timeoutMs,
      });
    case 'pause':
      await servers.stopAccepting();
      return servers.drain({ timeoutMs: 0 });
    case 'resume':
      servers.undrain();
      return servers.resumeAccepting();
    case 'counts':
      return { connectionCount, openCount: servers.counts().openCount };
  }
}

async function serve(path: string | null, settings: ServerSettings): Promise<number> {
  const scope: GenerationScope = { generation: 1, release: 'r1', status: 'preparing', inFlightCount: 0 };
  runInScope(scope, () => {
    const server = createServer(settings);
    if (settings.maxConnections !== undefined) server.maxConnections = settings.maxConnections;
    server.on('connection', () => connectionCount++);
    if (path === null) server.listen(0, '127.0.0.1');
    else server.listen(path);
  });
  await servers.whenListening(scope, { timeoutMs: 30_000 });
  servers.commit(scope);
  scope.status = 'current';
  const [address] = servers.listening();
  return address?.kind === 'tcp' ? address.port : 0;
}

function createServer(settings: ServerSettings): http.Server {
  const listener: http.RequestListener = (request, response) => void answer(request, response);
  if (settings.protocol === 'https') return https.createServer({ ...settings, cert, key }, listener);
  // Compatible in what is used of it here.
  if (settings.protocol === 'http2') return http2.createServer(listener as never) as unknown as http.Server;
  const server = http.createServer(settings, listener);
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  return server;
}

/** `/slow/50` takes 50 ms, `/large/7` answers with 7 MB, `/early` answers before it has the body. */
async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const [, kind = '', amount = '0'] = (request.url ?? '').split('/');
  response.setHeader('x-pid', process.pid);
  if (kind === 'early') return void response.end('early');
  let length = 0;
  for await (const chunk of request) length += (chunk as Buffer).length;
  if (kind === 'slow') await new Promise((resolve) => setTimeout(resolve, Number(amount)));
  if (kind === 'large') return void response.end(Buffer.alloc(Number(amount) * 1024 * 1024, 'x'));
  response.end(`${request.url} ${length}`);
}
