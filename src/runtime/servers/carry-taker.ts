/** Takes live connections over from another process. */

import type { CarriedConnection } from '../../protocol/messages.ts';
import type { CarryDecision } from '../carry-channel.ts';
import { runInScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { isPlainHttp, reviveHttp } from './carry-http.ts';
import { carryKinds } from './carry-kind.ts';
import type { ClientHandle } from './node-internals.ts';

/** Decides, and changes nothing before `start`. `server` is the current generation's at the address, if there is one. */
export function decideTakeover(
  server: AdoptedServer | null,
  carried: CarriedConnection,
  handle: ClientHandle,
): CarryDecision {
  const reason = server === null ? 'nothing accepts at its address' : whyNot(server, carried);
  if (server === null || reason !== null) return { status: 'refused', reason: reason ?? '' };
  return { status: 'accepted', start: () => revive(server, carried, handle) };
}

function whyNot(adopted: AdoptedServer, carried: CarriedConnection): string | null {
  const { server } = adopted;
  const { maxConnections } = server;
  // The type leaves out that it is undefined until the app sets it.
  if ((maxConnections as number | undefined) !== undefined && server._connections >= maxConnections)
    return 'the server has maxConnections';
  if (carried.kind === 'http') return isPlainHttp(adopted) ? null : 'the server there speaks no plain HTTP/1';
  const kind = carryKinds().get(carried.kind);
  return kind === undefined ? `nothing revives a ${carried.kind}` : kind.whyNot(carried, server);
}

function revive(adopted: AdoptedServer, carried: CarriedConnection, handle: ClientHandle): void {
  if (carried.kind === 'http') return reviveHttp(adopted, handle, carried);
  runInScope(adopted.scope, () =>
    runAsWork(() => {
      handle.asyncReset?.(handle);
      const socket = carryKinds().get(carried.kind)?.revive(handle, carried, adopted.server);
      if (socket !== undefined) adopted.keep(socket);
    }),
  );
}
