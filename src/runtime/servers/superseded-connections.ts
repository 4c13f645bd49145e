/** The connections of a server that another has superseded: they are the other's, though this one accepted them. */

import { httpSockets, type InternalServer } from './node-internals.ts';

/**
 * `close()` of a server that was superseded must not cut connections that now are the current generation's:
 * http closes idle ones, and `closeAllConnections()` is a habit of shutdown code.
 */
export function guardConnections(server: InternalServer, isSuperseded: () => boolean): void {
  for (const method of ['closeIdleConnections', 'closeAllConnections'] as const) {
    const native = server[method]?.bind(server);
    if (native === undefined) continue;
    server[method] = () => {
      if (!isSuperseded()) native();
    };
  }
}

/** The idle and busy HTTP connections of a server count as the heir's, so that its own 'close' does not wait for them. */
export function bequeathConnections(server: InternalServer, heir: InternalServer): void {
  for (const socket of httpSockets(server)) {
    const counted = socket._parent ?? socket;
    if (counted._server !== server) continue;
    counted._server = heir;
    server._connections--;
    heir._connections++;
  }
}
