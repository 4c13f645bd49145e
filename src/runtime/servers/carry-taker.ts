/** Takes live connections over from another process. */

import type { CarriedConnection } from '../../protocol/messages.ts';
import type { CarryDecision } from '../carry-channel.ts';
import { runInScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { isPlainHttp, reviveHttp } from './carry-http.ts';
import { carryKinds, type CarryKind } from './carry-kind.ts';
import type { ClientHandle } from './node-internals.ts';

/** Decides, and changes nothing before `start`. `server` is the current generation's at the address, if there is one. */
export function decideTakeover(
  server: AdoptedServer | null,
  carried: CarriedConnection,
  handle: ClientHandle,
): CarryDecision | Promise<CarryDecision> {
  const reason = server === null ? 'nothing accepts at its address' : whyNot(server, carried);
  if (server === null || reason !== null) return { status: 'refused', reason: reason ?? '' };
  const kind = carryKinds().get(carried.kind);
  if (kind !== undefined) return take(kind, server, carried, handle);
  return { status: 'accepted', start: () => reviveHttp(server, handle, carried) };
}

function whyNot(adopted: AdoptedServer, carried: CarriedConnection): string | null {
  const { server } = adopted;
  const { maxConnections } = server;
  // The type leaves out that it is undefined until the app sets it.
  if ((maxConnections as number | undefined) !== undefined && server._connections >= maxConnections)
    return 'the server has maxConnections';
  if (carried.kind === 'http') return isPlainHttp(adopted) ? null : 'the server there speaks no plain HTTP/1';
  return carryKinds().has(carried.kind) ? null : `nothing takes a ${carried.kind}`;
}

async function take(
  kind: CarryKind,
  adopted: AdoptedServer,
  carried: CarriedConnection,
  handle: ClientHandle,
): Promise<CarryDecision> {
  try {
    const { socket, start, discard } = await runInScope(adopted.scope, () =>
      runAsWork(() => {
        handle.asyncReset?.(handle);
        return kind.take(handle, carried, adopted.server);
      }),
    );
    adopted.keep(socket, 'websocket');
    return { status: 'accepted', start, discard };
  } catch (error) {
    console.error(error);
    return { status: 'refused', reason: error instanceof Error ? error.message : String(error) };
  }
}
