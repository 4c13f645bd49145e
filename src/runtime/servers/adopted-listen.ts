/** `listen()` of the code of a generation: it binds nothing, but puts its server on the hub of the address. Owns the patch. */

import dns from 'node:dns';
import net from 'node:net';
import { constants } from 'node:os';

import { captureCallingLine } from '../calling-line.ts';
import { currentScope, type GenerationScope } from '../generation-scope.ts';
import { currentOrigin } from '../origin.ts';
import { AdoptedServer, type Service } from './adopted-server.ts';
import type { Hub } from './hub.ts';
import type { Hubs } from './hubs.ts';
import { type ListenRequest, type TcpListenRequest, toListenRequest } from './listen-arguments.ts';
import { toListenError } from './listener-source.ts';
import type { InternalServer } from './node-internals.ts';

export interface AdoptedListenOptions {
  readonly hubs: Hubs;
  /** Each server that listens is added. */
  readonly servers: Set<AdoptedServer>;
  readonly service: Service;
  current(): GenerationScope | null;
  /** A server would listen now. */
  onChange(): void;
}

export class AdoptedListen {
  readonly #hubs: Hubs;
  readonly #servers: Set<AdoptedServer>;
  readonly #service: Service;
  readonly #current: () => GenerationScope | null;
  readonly #onChange: () => void;
  readonly #adopted = new WeakMap<InternalServer, AdoptedServer>();
  // Called with its server as `this`, never alone.
  // oxlint-disable-next-line typescript/unbound-method
  readonly #nativeListen = net.Server.prototype.listen;

  constructor({ hubs, servers, service, current, onChange }: AdoptedListenOptions) {
    this.#hubs = hubs;
    this.#servers = servers;
    this.#service = service;
    this.#current = current;
    this.#onChange = onChange;
    const listen = (server: InternalServer, args: unknown[]): unknown => this.#onListen(server, args);
    net.Server.prototype.listen = function (this: InternalServer, ...args: unknown[]) {
      return listen(this, args);
    } as typeof net.Server.prototype.listen;
  }

  /** Gives `listen` back to Node. */
  restore(): void {
    net.Server.prototype.listen = this.#nativeListen;
  }

  #onListen(server: InternalServer, args: unknown[]): unknown {
    const scope = currentScope();
    // A server that listens already, and arguments that are wrong, get Node's own errors.
    const request = scope === undefined || server._handle ? null : toListenRequest(args);
    if (scope === undefined || request === null) return Reflect.apply(this.#nativeListen, server, args);
    if (request.callback) server.once('listening', request.callback);
    server._listeningId++;
    closeOnAbort(server, request.signal);
    // What is left of a generation that is gone must not take an address, nor fail for it.
    if (scope.status === 'aborted' || scope.status === 'retired') return server;
    const adopted = this.#adopt(server, scope);
    if (request.kind === 'tcp' && request.host !== null) this.#lookup(adopted, request);
    else this.#attach(adopted, request);
    return server;
  }

  #adopt(server: InternalServer, scope: GenerationScope): AdoptedServer {
    let adopted = this.#adopted.get(server);
    if (adopted === undefined) {
      adopted = new AdoptedServer(server, scope, this.#service);
      this.#adopted.set(server, adopted);
    }
    adopted.rebind(scope);
    adopted.origin = currentOrigin();
    adopted.line = captureCallingLine();
    this.#servers.add(adopted);
    return adopted;
  }

  /** Resolves the name here, so that `localhost` and `127.0.0.1` are one address. Node asks even for an IP address, so
   *  that `listening` is false, and another `listen` allowed, until the answer is there. */
  #lookup(adopted: AdoptedServer, request: TcpListenRequest): void {
    const { server } = adopted;
    const listeningId = server._listeningId;
    dns.lookup(request.host ?? '', (error, host) => {
      if (server._listeningId !== listeningId) return;
      if (error) server.emit('error', error);
      else this.#attach(adopted, { ...request, host });
    });
  }

  #attach(adopted: AdoptedServer, request: ListenRequest): void {
    const { server, scope } = adopted;
    const address = this.#hubs.toAddress(scope, request);
    if (this.#hubs.isTaken(scope, address)) {
      emitError(server, toListenError(-constants.errno.EADDRINUSE, address));
      return;
    }
    const hub = this.#hubs.at(address);
    hub.servers.set(scope, adopted);
    if (request.kind === 'unix') server._pipeName = request.path;
    adopted.hold(hub, request.backlog);
    this.#open(hub, adopted, request.kind === 'unix' ? request.mode : 0);
  }

  #open(hub: Hub, adopted: AdoptedServer, mode: number): void {
    const { server } = adopted;
    const listeningId = server._listeningId;
    const onOpen = (): void => {
      // Closed, or its generation is gone, since.
      if (server._listeningId !== listeningId) this.#hubs.prune(hub);
      else this.#onOpen(hub, adopted, mode);
    };
    const onFail = (error: unknown): void => {
      if (server._listeningId === listeningId) this.fail(adopted, error);
    };
    try {
      const opening = this.#hubs.open(hub);
      if (opening === undefined) onOpen();
      else opening.then(onOpen, onFail);
    } catch (error) {
      onFail(error);
    }
  }

  #onOpen(hub: Hub, adopted: AdoptedServer, mode: number): void {
    let errno = hub.chmod(mode);
    if (errno === 0 && adopted.scope === this.#current()) {
      hub.current = adopted;
      errno = this.#hubs.accept(hub);
    }
    if (errno !== 0) {
      this.fail(adopted, toListenError(errno, hub.address));
      return;
    }
    adopted.finishListen();
    hub.syncRef();
    this.#onChange();
  }

  /** The address can't be had (any more): the server gets the error, as Node's own would. */
  fail(adopted: AdoptedServer, error: unknown): void {
    this.#hubs.detach(adopted);
    adopted.server._handle = null;
    emitError(adopted.server, error);
  }
}

function emitError(server: InternalServer, error: unknown): void {
  process.nextTick(() => server.emit('error', error));
}

/** As net.Server does with `listen({ signal })`. */
function closeOnAbort(server: InternalServer, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const close = (): void => void server.close();
  if (signal.aborted) process.nextTick(close);
  else signal.addEventListener('abort', close, { once: true });
  server.once('close', () => signal.removeEventListener('abort', close));
}
