/** Binds the addresses that it is asked for, once each, and gives copies of the handles. */

import { createLocalListenerSource, type ListenerHandle } from '../../src/runtime/servers/listener-source.ts';
import { toAddressKey, type ListenAddress } from '../../src/runtime/servers/listen-address.ts';

const source = createLocalListenerSource();
const bound = new Map<string, ListenerHandle>();

process.on('message', ({ id, address }: { readonly id: number; readonly address: ListenAddress }) => {
  void give(id, address);
});

async function give(id: number, address: ListenAddress): Promise<void> {
  const key = toAddressKey(address);
  const handle = bound.get(key) ?? (await source.acquire(address));
  bound.set(key, handle);
  process.send?.({ id }, handle as never);
}
