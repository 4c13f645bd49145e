/**
 * After a swap: gives WebSockets to the code that is current now, where their server asks for it. The connection is not touched;
 * listeners, the server's books and the async context change hands, in one turn of the event loop.
 */

import type { Socket } from 'node:net';
import { runInScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { CarriedServer, Member } from './carried-server.ts';
import { joinServer } from './join-server.ts';
import type { WebSocketRegistry } from './web-socket-registry.ts';
import { endIfEmpty, OPEN } from './ws-internals.ts';

/** Codes of RFC 6455: an error of the server. */
const INTERNAL_ERROR = 1011;

/** `onMoved` is told of each socket that belongs to the current generation now. */
export function moveWebSockets(registry: WebSocketRegistry, onMoved: (socket: Socket) => void): void {
  for (const from of registry.servers()) {
    const to = registry.find(from.name);
    if (to === undefined || to === from || to.options.swap !== 'move' || from.options.swap !== 'move')
      continue;
    for (const [webSocket, request] of from.members) {
      if (webSocket.readyState !== OPEN || !(webSocket instanceof to.server.options.WebSocket)) continue;
      move({ server: from, webSocket, request }, to, onMoved);
    }
  }
}

function move(
  { server: from, webSocket, request }: Member,
  to: CarriedServer,
  onMoved: (socket: Socket) => void,
): void {
  let data: unknown;
  try {
    data = from.run(() => structuredClone(from.options.save(webSocket, request)));
  } catch (error) {
    console.error(
      `A WebSocket of "${from.name}" stays with the code before, since it can't be saved:`,
      error,
    );
    from.keep(webSocket);
    return;
  }
  from.yield(webSocket);
  webSocket.removeAllListeners();
  from.server.clients?.delete(webSocket);
  endIfEmpty(from.server);
  onMoved(webSocket._socket);
  const restore = (): void | Promise<void> => {
    const handle = webSocket._socket._handle;
    handle?.asyncReset?.(handle);
    joinServer(to.server, webSocket);
    to.add(webSocket, request);
    return to.options.restore(webSocket, data, request);
  };
  const fail = (error: unknown): void => {
    console.error(`"restore" of the WebSockets of "${to.name}" failed; the connection is closed:`, error);
    webSocket.close(INTERNAL_ERROR);
  };
  try {
    const restored = to.scope === undefined ? restore() : runInScope(to.scope, () => runAsWork(restore));
    if (!(restored instanceof Promise)) return;
    webSocket.pause();
    void restored.catch(fail).finally(() => webSocket.resume());
  } catch (error) {
    fail(error);
  }
}
