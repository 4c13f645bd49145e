/** The class by which a version of `ws` compresses. Its module does not export it, but its handshake makes one. */

import type { Deflate, InternalWebSocketServer } from './ws-internals.ts';
import { DEFLATE } from './ws-internals.ts';

type DeflateClass = new (options: object) => Deflate;

/** Of a client that offers compression. */
const offer = {
  method: 'GET',
  url: '/',
  headers: {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-extensions': DEFLATE,
  },
};

/** Goes through a handshake up to where its answer would be written. Undefined where that is done otherwise. */
export function findDeflateClass(server: InternalWebSocketServer): DeflateClass | undefined {
  let found: DeflateClass | undefined;
  const native = nativePrototype(server);
  const probe = Object.create(native, {
    options: { value: { perMessageDeflate: {}, maxPayload: 0 } },
    completeUpgrade: {
      value: (...values: unknown[]) => {
        for (const value of values) {
          const deflate = (value as Partial<Record<string, Deflate>> | null)?.[DEFLATE];
          if (deflate !== undefined) found = deflate.constructor as DeflateClass;
        }
      },
    },
  }) as { handleUpgrade(...values: unknown[]): void };
  const ignore = (): void => undefined;
  probe.handleUpgrade(offer, { on: ignore }, Buffer.alloc(0), ignore);
  return found;
}

/** The class of `ws` itself, where the app's extends it. */
function nativePrototype(server: object): object {
  let found: object = server;
  for (let each: unknown = Object.getPrototypeOf(server); each !== null; each = Object.getPrototypeOf(each)) {
    if (Object.hasOwn(each as object, 'completeUpgrade')) found = each as object;
  }
  return found;
}
