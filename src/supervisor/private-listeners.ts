/** Listeners for a worker that nobody is to reach: whatever address it asks for, it gets a loopback port of its own, which nothing accepts from. */

import { createLocalListenerSource, type ListenerHandle } from '../runtime/servers/listener-source.ts';
import { toAddressKey } from '../runtime/servers/listen-address.ts';
import type { Listeners } from './listeners.ts';

/** Makes them; nothing is bound yet. */
export function createPrivateListeners(): Listeners {
  const source = createLocalListenerSource();
  const bound = new Map<string, ListenerHandle>();
  const acquire: Listeners['acquire'] = async (target) => {
    const key = toAddressKey(target);
    const known = bound.get(key);
    if (known !== undefined) return known;
    const handle = await source.acquire({ kind: 'tcp', host: '127.0.0.1', port: 0, ordinal: bound.size });
    bound.set(key, handle);
    return handle;
  };
  return {
    acquire,
    acquireListening: acquire,
    addresses: () => [],
    reports: () => [],
    close() {
      for (const handle of bound.values()) handle.close();
      bound.clear();
    },
  };
}
