/** What becomes of the WebSockets of a process: their connections can be carried to another, and move to new code after a swap. */

import type { Socket } from 'node:net';
import type { GenerationScope } from '../generation-scope.ts';
import { carryKinds } from '../servers/carry-kind.ts';
import { moveWebSockets } from './move-web-sockets.ts';
import { createWebSocketKind, WEB_SOCKET_KIND } from './web-socket-kind.ts';
import { createWebSocketRegistry } from './web-socket-registry.ts';

export interface ProcessWebSocketsOptions {
  current(): GenerationScope | null;
  /** A socket belongs to the current generation from now on. */
  onMoved(socket: Socket): void;
}

export interface ProcessWebSockets {
  /** Another generation is current: gives it those whose servers ask for that. */
  move(): void;
  dispose(): void;
}

/** Makes the registry of the process, and has its WebSockets carried. */
export function createProcessWebSockets({ current, onMoved }: ProcessWebSocketsOptions): ProcessWebSockets {
  const registry = createWebSocketRegistry({ current });
  carryKinds().set(WEB_SOCKET_KIND, createWebSocketKind(registry));
  return {
    move: () => moveWebSockets(registry, onMoved),
    dispose: () => {
      registry.dispose();
      carryKinds().delete(WEB_SOCKET_KIND);
    },
  };
}
