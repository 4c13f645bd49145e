/**
 * The listening sockets of an app. Owns one bound handle an address; workers get copies of it, so that the kernel's
 * queue outlives every one of them.
 *
 * Invariants:
 * 1. An address is bound once and stays bound until the supervisor ends.
 * 2. The supervisor itself never accepts.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MidflightError } from '../errors.ts';
import { parseListenText } from '../protocol/listen-text.ts';
import type { ListenTarget } from '../protocol/messages.ts';
import { createLocalListenerSource, type ListenerHandle } from '../runtime/servers/listener-source.ts';
import { toAddressKey } from '../runtime/servers/listen-address.ts';
import { hasPerl } from './program-parent.ts';
import { findInherited, type InheritedSocket } from './inherited-sockets.ts';
import type { ListenerReport } from './process-host.ts';

/** What Node asks for by itself. */
const BACKLOG = 511;

export interface Listeners {
  /** The bound handle of an address, bound now when it is not yet. Rejects with bind(2)'s error. */
  acquire(target: ListenTarget): Promise<ListenerHandle>;
  /** The same, already listening, for programs that expect it so. */
  acquireListening(target: ListenTarget): Promise<ListenerHandle>;
  addresses(): readonly string[];
  /** These, and those that were passed in and that nobody has asked for. */
  reports(): readonly ListenerReport[];
  close(): void;
}

interface Listener {
  readonly target: ListenTarget;
  readonly handle: ListenerHandle;
  isListening: boolean;
}

/** Makes the registry; nothing is bound yet but what was passed in. */
export function createListeners(inherited: readonly InheritedSocket[] = []): Listeners {
  const source = createLocalListenerSource();
  const bound = new Map<string, Promise<Listener>>();
  const settled = new Map<string, Listener>();

  async function bind(target: ListenTarget): Promise<Listener> {
    const known = await findInherited(inherited, target);
    if (known !== undefined) return { ...known, isListening: true };
    return { target, handle: await source.acquire(target), isListening: false };
  }

  async function find(target: ListenTarget): Promise<Listener> {
    const key = toAddressKey(target);
    const known = bound.get(key);
    if (known !== undefined) return known;
    const binding = bind(target);
    bound.set(key, binding);
    try {
      const listener = await binding;
      settled.set(key, listener);
      return listener;
    } catch (error) {
      bound.delete(key);
      throw error;
    }
  }

  return {
    async acquire(target) {
      return (await find(target)).handle;
    },
    async acquireListening(target) {
      const listener = await find(target);
      if (!listener.isListening) await startListening(listener.handle);
      listener.isListening = true;
      return listener.handle;
    },
    addresses: () => toAddressTexts(settled.values()),
    reports() {
      const used = new Set([...settled.values()].map(({ handle }) => handle));
      const unused = inherited.filter(({ handle }) => !used.has(handle));
      return [
        ...toAddressTexts(settled.values()).map((address) => ({ address, isUsed: true })),
        ...toAddressTexts(unused).map((address) => ({ address, isUsed: false })),
      ];
    },
    close() {
      for (const handle of new Set([...settled.values(), ...inherited].map((listener) => listener.handle)))
        handle.close();
      settled.clear();
      bound.clear();
    },
  };
}

/** Parses `127.0.0.1:8080`, `[::1]:8080`, `:8080` and `unix:/path`. */
export function parseListenTarget(text: string, ordinal: number): ListenTarget {
  const parsed = parseListenText(text);
  if (parsed === null) throw new MidflightError('ERR_MIDFLIGHT_ADDRESS_INVALID', [text]);
  return parsed.kind === 'unix' ? parsed : { ...parsed, ordinal: parsed.port === 0 ? ordinal : 0 };
}

/** What `parseListenTarget` was given, more or less. */
export function toTargetText(target: ListenTarget): string {
  if (target.kind === 'unix') return `unix:${target.path.replace(/^\0/, '@')}`;
  return toHostAndPort(target.host ?? '', target.port);
}

/** libuv would accept in the process that calls listen(2), so a child that ends at once calls it. */
async function startListening(handle: ListenerHandle): Promise<void> {
  // Perl has done it by the time at which Node begins.
  const [file, script] = hasPerl()
    ? ['perl', `open(my $socket, '+<&=', 3) or die $!; listen($socket, ${BACKLOG}) or die $!`]
    : [process.execPath, 'require("node:net").createServer().listen({ fd: 3 }, () => process.exit(0))'];
  const child = spawn(file, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', handle.fd] });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_LISTEN_FAILED', [`fd ${handle.fd}`, String(exitCode)]);
}

/** One socket may serve several addresses, such as all of IPv6 and all of IPv4. */
function toAddressTexts(listeners: Iterable<InheritedSocket>): readonly string[] {
  return [...new Set([...listeners].map(({ handle, target }) => toAddressText(handle, target)))];
}

function toAddressText(handle: ListenerHandle, target: ListenTarget): string {
  if (target.kind === 'unix') return toTargetText(target);
  const name: { address?: string; port?: number } = {};
  handle.getsockname?.(name);
  return toHostAndPort(name.address ?? target.host ?? '', name.port ?? target.port);
}

function toHostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
