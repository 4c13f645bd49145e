/** What the tests of adopted servers share: generations without modules, and a client that keeps its connection. */

import { once } from 'node:events';
import http from 'node:http';

import { type GenerationScope, runInScope } from '../../src/runtime/generation-scope.ts';
import {
  adoptServers,
  type ListenerSource,
  type ServerAdoption,
} from '../../src/runtime/servers/adoption.ts';
import type { TcpListenAddress } from '../../src/runtime/servers/listen-address.ts';
import { ServiceMeter } from '../../src/runtime/service-meter.ts';
import { createLocalListenerSource } from '../../src/runtime/servers/listener-source.ts';

let generationCount = 0;

export function createScope(): GenerationScope {
  generationCount++;
  return {
    generation: generationCount,
    release: `r${generationCount}`,
    status: 'preparing',
    inFlightCount: 0,
    meter: new ServiceMeter(),
  };
}

export interface World extends Disposable {
  readonly adoption: ServerAdoption;
  /** Evaluates code as a new generation, and waits until it listens. */
  prepare(evaluate: () => unknown): Promise<GenerationScope>;
  commit(scope: GenerationScope): void;
  /** prepare and commit. */
  deploy(evaluate: () => unknown): Promise<GenerationScope>;
  rollback(to: GenerationScope): void;
  retire(scope: GenerationScope): void;
  port(index?: number): number;
}

export function createWorld(source: ListenerSource = createLocalListenerSource()): World {
  const adoption = adoptServers({ source });
  let current: GenerationScope | undefined;
  const world: World = {
    adoption,
    async prepare(evaluate) {
      const scope = createScope();
      await runInScope(scope, async () => evaluate());
      await adoption.whenListening(scope, { timeoutMs: 30_000 });
      return scope;
    },
    commit(scope) {
      adoption.commit(scope);
      if (current) current.status = 'previous';
      scope.status = 'current';
      scope.meter?.begin();
      current = scope;
    },
    async deploy(evaluate) {
      const scope = await world.prepare(evaluate);
      world.commit(scope);
      return scope;
    },
    rollback(to) {
      adoption.commit(to);
      if (current) {
        current.status = 'aborted';
        adoption.abort(current);
      }
      to.status = 'current';
      current = to;
    },
    retire(scope) {
      scope.status = 'retired';
      adoption.retire(scope);
    },
    port: (index = 0) => (adoption.listening()[index] as TcpListenAddress).port,
    [Symbol.dispose]() {
      adoption.restore();
      if (current) adoption.abort(current);
    },
  };
  return world;
}

export interface Answer {
  readonly statusCode: number | undefined;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Local port: equal for two answers that came over one connection. */
  readonly clientPort: number | undefined;
}

export interface Client extends Disposable {
  get(path?: string): Promise<Answer>;
  request(options: http.RequestOptions, body?: string): Promise<Answer>;
}

/** A client with one keep-alive connection, which never tries again. */
export function createClient(port: number): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const request = async (options: http.RequestOptions, body?: string): Promise<Answer> => {
    const sent = http.request({ host: '127.0.0.1', port, agent, ...options });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    const clientPort = response.socket.localPort;
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
    return { statusCode: response.statusCode, body: text, headers: response.headers, clientPort };
  };
  return { request, get: (path = '/') => request({ path }), [Symbol.dispose]: () => agent.destroy() };
}
