/** The keeper as its supervisor sees it: who starts processes, holds them, and keeps the supervisor's notebook. */

import { EventEmitter } from 'node:events';
import { MidflightError } from '../errors.ts';
import { toWorkerError } from '../protocol/messages.ts';
import type {
  HostedRecord,
  Inventory,
  KeeperEvent,
  KeeperOrder,
  KeeperRequest,
  KeeperToSupervisor,
  ProcessExit,
  SupervisorToKeeper,
  UpgradeOutcome,
} from '../protocol/keeper-messages.ts';
import { negotiate, protocols } from '../protocol/versions.ts';
import type { ListenerReport, HostedProcess, ProcessEvents, ProcessHost } from './process-host.ts';

export interface Keeper {
  readonly inventory: Inventory;
  readonly host: ProcessHost;
  /** Gets the signals that the keeper gets. */
  readonly signals: EventEmitter<{ signal: [NodeJS.Signals] }>;
  /** The keeper has ended: nothing can be asked of it any more. */
  readonly lost: Promise<void>;
  /** What the next supervisor is to know when this one is killed after this call. */
  note(notebook: unknown): void;
  /** What was found is settled. Resolves with how the upgrade ended that brought this supervisor. */
  ready(): Promise<UpgradeOutcome | null>;
  /** Steps down for another supervisor: the caller exits when this resolves. */
  replace(next: { readonly file: string; readonly token: string }): Promise<void>;
  /** All has stopped: the keeper ends with the exit code of this process. */
  stopped(): Promise<void>;
}

/** Greets the keeper that has started this process. Errors: ERR_MIDFLIGHT_PROTOCOL_MISMATCH. */
export async function greetKeeper(): Promise<Keeper> {
  const channel = openChannel();
  const { ask, order } = channel;
  const inventory = (await ask({ type: 'hello', protocol: protocols.keeper })) as Inventory;
  negotiate('keeper', 'The keeper', inventory.keeper.protocol);
  return {
    inventory,
    host: createKeeperHost(channel, inventory.processes),
    signals: channel.signals,
    lost: channel.lost,
    note: (notebook) => order({ type: 'note', notebook }),
    ready: async () => (await ask({ type: 'ready' })) as UpgradeOutcome | null,
    async replace(next) {
      await ask({ type: 'replace', ...next });
    },
    async stopped() {
      order({ type: 'stopped' });
      // What was asked before this has been heard when it is answered.
      await ask({ type: 'listeners' });
    },
  };
}

type ProcessEvent = Exclude<KeeperEvent, { readonly type: 'signal' }>;

interface Channel {
  readonly signals: EventEmitter<{ signal: [NodeJS.Signals] }>;
  readonly events: EventEmitter<{ process: [ProcessEvent] }>;
  readonly lost: Promise<void>;
  ask(request: KeeperRequest): Promise<unknown>;
  order(order: KeeperOrder): void;
}

function openChannel(): Channel {
  const send = process.send?.bind(process);
  if (send === undefined)
    throw new MidflightError('ERR_MIDFLIGHT_INVALID_STATE', ['A supervisor is started by its keeper only']);
  const signals = createPatientEmitter();
  const events: Channel['events'] = new EventEmitter();
  const lost = Promise.withResolvers<void>();
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  let count = 0;
  const post = (message: SupervisorToKeeper): void => {
    send(message, undefined, undefined, () => {
      // Without its keeper this process is about to end.
    });
  };
  process.on('message', (message: KeeperToSupervisor) => {
    if ('event' in message) {
      if (message.event.type === 'signal') signals.emit('signal', message.event.signal);
      else events.emit('process', message.event);
      return;
    }
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if ('failed' in message) waiting?.reject(toWorkerError(message.failed));
    else waiting?.resolve(message.done);
  });
  process.once('disconnect', lost.resolve);
  return {
    signals,
    events,
    lost: lost.promise,
    async ask(request) {
      const id = ++count;
      const waiting = Promise.withResolvers<unknown>();
      pending.set(id, waiting);
      post({ id, request });
      return waiting.promise;
    },
    order: (order) => post({ order }),
  };
}

/** What is emitted before anybody listens waits for the first who does: a signal may come while a supervisor is being composed. */
function createPatientEmitter(): Channel['signals'] {
  const emitter = new EventEmitter();
  const early: NodeJS.Signals[] = [];
  emitter.on('signal', (signal: NodeJS.Signals) => {
    if (emitter.listenerCount('signal') === 1) early.push(signal);
  });
  emitter.on('newListener', () => {
    setImmediate(() => {
      for (const signal of early.splice(0)) emitter.emit('signal', signal);
    });
  });
  return emitter as Channel['signals'];
}

/** A process of the keeper's. */
interface Remote {
  readonly exited: PromiseWithResolvers<ProcessExit>;
  isConnected: boolean;
  /** Null while it runs. */
  output: string | null;
  /** What it has said before anybody listened. */
  readonly early: unknown[];
  events: ProcessEvents | null;
}

function createKeeperHost(channel: Channel, inherited: readonly HostedRecord[]): ProcessHost {
  const remotes = new Map<number, Remote>();
  // The end of a process that can't be spawned may be told of before its start is answered.
  const find = (id: number): Remote => {
    const known = remotes.get(id);
    if (known !== undefined) return known;
    const remote = toRemote();
    remotes.set(id, remote);
    return remote;
  };
  const left = new Map(inherited.map((record) => [record.id, record]));
  for (const { id, isConnected } of inherited) find(id).isConnected = isConnected;
  channel.events.on('process', (event) => {
    if (event.type === 'exited') left.delete(event.process);
    onEvent(find(event.process), event);
  });
  return {
    async spawn(spec, events) {
      const record = (await channel.ask({ type: 'spawn', spec })) as HostedRecord;
      return attach(channel, record, find(record.id), events);
    },
    inherited: () => [...left.values()],
    adopt(id, events) {
      const record = left.get(id);
      return record === undefined ? null : attach(channel, record, find(id), events);
    },
    listeners: async () => (await channel.ask({ type: 'listeners' })) as readonly ListenerReport[],
    route: (fromPid, toPids) => channel.order({ type: 'route', fromPid, toPids }),
  };
}

function toRemote(): Remote {
  return { exited: Promise.withResolvers(), isConnected: true, output: null, early: [], events: null };
}

function onEvent(remote: Remote, event: ProcessEvent): void {
  switch (event.type) {
    case 'message':
      if (remote.events === null) remote.early.push(event.message);
      else remote.events.onMessage(event.message);
      return;
    case 'disconnected':
      remote.isConnected = false;
      remote.events?.onDisconnect?.();
      return;
    case 'exited':
      remote.isConnected = false;
      remote.output = event.output;
      remote.exited.resolve(event.exit);
  }
}

function attach(
  { ask, order }: Channel,
  { id, pid }: HostedRecord,
  remote: Remote,
  events: ProcessEvents,
): HostedProcess {
  remote.events = events;
  for (const message of remote.early.splice(0)) events.onMessage(message);
  return {
    id,
    pid,
    exited: remote.exited.promise,
    hasExited: () => remote.output !== null,
    isConnected: () => remote.isConnected,
    output: async () => remote.output ?? ((await ask({ type: 'output', process: id })) as string),
    kill: (signal) => order({ type: 'kill', process: id, signal }),
    async end(timeoutMs) {
      order({ type: 'end', process: id, timeoutMs });
      return remote.exited.promise;
    },
    send: (message) => order({ type: 'send', process: id, message }),
  };
}
