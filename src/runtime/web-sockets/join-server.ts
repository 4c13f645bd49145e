/** A server's book of its clients, as `completeUpgrade` of `ws` keeps it. */

import { endIfEmpty, type InternalWebSocket, type InternalWebSocketServer } from './ws-internals.ts';

export function joinServer(server: InternalWebSocketServer, webSocket: InternalWebSocket): void {
  if (server.clients === undefined) return;
  server.clients.add(webSocket);
  webSocket.on('close', () => {
    server.clients?.delete(webSocket);
    endIfEmpty(server);
  });
}
