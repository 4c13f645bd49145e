/** The handle that makes Node believe that a server listens, as node:cluster's workers have one. */

import type { AdoptedServer } from './adopted-server.ts';
import type { Hub } from './hub.ts';
import type { ServerHandle, SocketName } from './node-internals.ts';

/** What the app's server holds in `_handle`. `close` and the rest are called by net.Server. */
export class StandInHandle implements ServerHandle {
  onconnection: ServerHandle['onconnection'] = null;
  readonly getsockname?: (out: SocketName) => number;
  readonly #adopted: AdoptedServer;

  constructor(adopted: AdoptedServer, hub: Hub) {
    this.#adopted = adopted;
    // net.Server#address answers with the path when the handle has no getsockname.
    if (hub.address.kind === 'tcp') {
      this.getsockname = (out) => {
        Object.assign(out, hub.name);
        return 0;
      };
    }
  }

  listen(): number {
    return 0;
  }

  close(callback?: () => void): void {
    this.#adopted.onHandleClose();
    if (callback) process.nextTick(callback);
  }

  ref(): void {
    this.#adopted.setRef(true);
  }

  unref(): void {
    this.#adopted.setRef(false);
  }

  hasRef(): boolean {
    return this.#adopted.isRef;
  }
}
