/** What a worker has under way, in words. */

import type { OpenWork } from '../protocol/messages.ts';

const kinds = { websocket: 'WebSocket', upgraded: 'upgraded socket', socket: 'socket' } as const;

/** Such as `1 request (GET /slow for 31 s), 2 idle connections`. */
export function describeWork(work: OpenWork): string {
  const requests = work.requests.map(({ method, url, ageS }) => `${method} ${url} for ${ageS} s`);
  const sockets = work.sockets.map(({ kind, peer, ageS }) => `${kinds[kind]} of ${peer} for ${ageS} s`);
  const parts = [
    list('request', work.requestCount, requests),
    list('kept socket', work.socketCount, sockets),
    list('idle connection', work.idleCount, []),
  ];
  return parts.filter((part) => part !== '').join(', ') || 'nothing';
}

function list(noun: string, count: number, names: readonly string[]): string {
  if (count === 0) return '';
  const more = names.length > 0 && count > names.length ? [`${count - names.length} more`] : [];
  const named = names.length > 0 ? ` (${[...names, ...more].join(', ')})` : '';
  return `${count} ${noun}${count === 1 ? '' : 's'}${named}`;
}
