/**
 * The worker's end of the channel to its supervisor. Owns the IPC channel of the process: it is hidden from the app
 * (`process.send` is undefined there) and keeps the process alive only while something is being waited for.
 *
 * Invariants:
 * 1. Every request that arrives is answered once, by `done` or `failed`.
 * 2. The channel is referenced exactly while somebody holds it.
 */

import {
  MESSAGE_COMMAND,
  type CarriedNote,
  toErrorReport,
  type ErrnoReport,
  type ListenTarget,
  type SupervisorMessage,
  type WorkerEvent,
  type WorkerMessage,
  type WorkerRequest,
} from '../protocol/messages.ts';
import { createCarryChannel, type Give, type SendNote, type Take } from './carry-channel.ts';
import { findHeldElsewhere } from './held-elsewhere.ts';
import type { ClientHandle } from './servers/node-internals.ts';

export interface WorkerChannel<Event = WorkerEvent> {
  emit(event: Event): void;
  /** Asks for a bound listening handle; the answer is the raw handle, or what bind(2) said. */
  requestListener(target: ListenTarget): Promise<unknown>;
  /** Gives a live connection to whom the host routes it to. */
  readonly give: Give;
  readonly sendNote: SendNote;
  /** Keeps the process alive until the returned function is called. */
  hold(): () => void;
}

/** Without whoever binds, a server that begins to listen gets an error, and does not wait for ever. */
const kGone: ErrnoReport = { code: 'EPIPE', errno: -32, syscall: 'listen' };

interface PendingListener {
  resolve(handle: unknown): void;
  reject(error: Error): void;
}

export interface ChannelOptions<Request = WorkerRequest> {
  onRequest(request: Request): Promise<unknown>;
  /** A live connection of another worker. Without it all are refused. */
  onCarry?: Take;
  /** Something that follows a connection which came. */
  onCarryNote?(note: CarriedNote): void;
  /** The supervisor is gone. */
  onDisconnect(): void;
}

/** Takes over the IPC channel of this process. */
export function openChannel<Request = WorkerRequest, Event = WorkerEvent>({
  onRequest,
  onCarry = () => ({ status: 'refused', reason: 'this process takes none' }),
  onCarryNote = () => undefined,
  onDisconnect,
}: ChannelOptions<Request>): WorkerChannel<Event> {
  const send = process.send?.bind(process);
  const ipc = process.channel;
  if (send === undefined || ipc === undefined || ipc === null)
    throw new Error('A worker is started by its supervisor only');
  hideChannel();
  const pending = new Map<number, PendingListener>();
  let listenId = 0;
  const post = (message: WorkerMessage<Event>): void => {
    send(message, undefined, undefined, () => {
      // A supervisor that has gone can't be told; the worker goes on serving.
    });
  };
  let isGone = false;
  const onGone = (): void => {
    if (isGone) return;
    isGone = true;
    for (const id of pending.keys()) settleListener(pending, id, kGone, null);
    void carrying.close();
    onDisconnect();
  };
  const carrying = createCarryChannel({
    take: onCarry,
    isOpen: () => process.connected,
    onGone,
    onNote: onCarryNote,
    findHeldElsewhere: (handles) => {
      const found = findHeldElsewhere(handles.map(({ fd = -1 }) => fd));
      return new Set(handles.filter(({ fd = -1 }) => found.has(fd)));
    },
    post: (message, handle, onSent) => send(message, handle as never, undefined, onSent),
  });
  process.on('internalMessage' as 'message', (raw: unknown, handle: unknown) => {
    const message = raw as SupervisorMessage<Request>;
    if (message.cmd !== MESSAGE_COMMAND) return;
    if ('carryId' in message) {
      carrying.onMessage(message, handle as ClientHandle | undefined);
      return;
    }
    if ('listenId' in message) {
      settleListener(pending, message.listenId, message.errno, handle);
      return;
    }
    onRequest(message.request).then(
      (done) => post({ cmd: MESSAGE_COMMAND, id: message.id, done: done ?? null }),
      (error: unknown) => post({ cmd: MESSAGE_COMMAND, id: message.id, failed: toErrorReport(error) }),
    );
  });
  process.once('disconnect', onGone);
  ipc.unref();
  return {
    emit: (event) => post({ cmd: MESSAGE_COMMAND, event }),
    give: carrying.give,
    sendNote: carrying.sendNote,
    hold: createHold(ipc),
    requestListener(listen) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const id = ++listenId;
      pending.set(id, { resolve, reject });
      if (!process.connected) settleListener(pending, id, kGone, null);
      post({ cmd: MESSAGE_COMMAND, listenId: id, listen });
      return promise;
    },
  };
}

/** Apps take `process.send` for a sign of pm2 or of a parent that they know. */
function hideChannel(): void {
  Object.defineProperty(process, 'send', { value: undefined, configurable: true, writable: true });
}

/** The channel keeps the process alive while anyone holds it. */
function createHold(ipc: NonNullable<typeof process.channel>): () => () => void {
  let holdCount = 0;
  return () => {
    if (++holdCount === 1) ipc.ref();
    let isHeld = true;
    return () => {
      if (isHeld && --holdCount === 0) ipc.unref();
      isHeld = false;
    };
  };
}

function settleListener(
  pending: Map<number, PendingListener>,
  id: number,
  errno: ErrnoReport | null,
  handle: unknown,
): void {
  const waiting = pending.get(id);
  pending.delete(id);
  if (errno === null) waiting?.resolve(handle);
  else waiting?.reject(Object.assign(new Error(`${errno.syscall} ${errno.code}`), errno));
}
