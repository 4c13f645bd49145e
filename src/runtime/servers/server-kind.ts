/** What sort of server it is, as its methods tell. */

import type { InternalServer } from './node-internals.ts';

/** `https` counts as http, `tls` as net. */
export type ServerKind = 'http' | 'http2' | 'net';

export function toServerKind(server: InternalServer): ServerKind {
  if ('updateSettings' in server) return 'http2';
  return server.closeIdleConnections ? 'http' : 'net';
}

export function isTls(server: InternalServer): boolean {
  return 'setSecureContext' in server;
}
