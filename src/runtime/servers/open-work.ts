/** What a server has under way for a generation, in words. */

import type { Socket } from 'node:net';

import { toPeer } from '../client-sockets.ts';
import type { GenerationScope } from '../generation-scope.ts';
import type { Pin } from '../retained.ts';
import { kSince, kWork, secondsNow, type AdoptedServer, type OpenWork } from './adopted-server.ts';

/** Its requests that the generation answers; its upgraded sockets, where it is of that generation. */
export function pinsOf(server: AdoptedServer, scope: GenerationScope): Pin[] {
  const requests = [...requestsOf(server), ...server.streams.values()].filter((work) => work.scope === scope);
  const sockets = server.scope === scope ? [...server.kept] : [];
  return [
    ...requests.map(({ method, url, sinceS }) => ({
      text: `request ${method} ${url}, in flight for ${secondsNow() - sinceS} s`,
      line: null,
    })),
    ...sockets.map((socket) => toSocketPin(server, socket as Socket)),
  ];
}

function* requestsOf(server: AdoptedServer): Generator<OpenWork> {
  for (const { req, [kWork]: scope, [kSince]: sinceS = 0 } of server.openResponses()) {
    if (scope !== undefined) yield { scope, sinceS, method: req?.method, url: req?.url };
  }
}

function toSocketPin({ kind, line }: AdoptedServer, socket: Socket): Pin {
  const what = kind === 'net' ? 'socket' : 'upgraded socket';
  const where = line === null ? '' : ` by the server that listens since ${line.text}`;
  return { text: `${what} from ${toPeer(socket)}, accepted${where}`, line: null };
}
