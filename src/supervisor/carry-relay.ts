/**
 * Relays live connections between the workers of one host. Owns the routes, and a copy of each handle until its answer.
 *
 * 1. It never reads from a connection.
 * 2. Whoever gave one is answered once: by the receiver, or with `refused` when that has gone or can't be reached.
 * 3. Its copy of a handle is closed at that answer. So a connection outlives its giver's death, and no copy outlives the move.
 */

import {
  CARRY_GRACE_MS,
  CARRY_TIMEOUT_MS,
  type CarryAnswer,
  type CarryMessage,
  type CarryNote,
  MESSAGE_COMMAND,
} from '../protocol/messages.ts';

/** A raw handle, as Node's IPC gives and takes it. */
export interface RelayedHandle {
  close(): void;
}

type RelayedMessage = CarryMessage | CarryAnswer | CarryNote;

export interface CarryRelay {
  /** Where connections of one process go, in turn. An empty list ends the route. */
  route(fromPid: number, toPids: readonly number[]): void;
  /** A message of a process: a connection that it gives, its answer to one that it was given, or a note that follows one. */
  onMessage(pid: number, message: RelayedMessage, handle: RelayedHandle | undefined): void;
  /** The channel of a process has closed, and all that it had said was read. */
  onGone(pid: number): void;
}

/** Writes to a process; calls back with the error when that can't be done. */
export type RelaySend = (
  pid: number,
  message: RelayedMessage,
  handle: RelayedHandle | undefined,
  onError: (error: Error) => void,
) => void;

interface Relayed {
  readonly fromPid: number;
  readonly toPid: number;
  /** The giver's. */
  readonly carryId: number;
  readonly handle: RelayedHandle;
  readonly timer: NodeJS.Timeout;
}

interface Route {
  readonly toPids: readonly number[];
  next: number;
}

/** Makes the relay; nothing is routed yet. */
export function createCarryRelay(send: RelaySend): CarryRelay {
  const routes = new Map<number, Route>();
  /** To whom connections of a process ever went: what comes after them goes to all, and those whom it does not concern ignore it. */
  const receivers = new Map<number, Set<number>>();
  const underway = new Map<number, Relayed>();
  let lastId = 0;

  const answer = (pid: number, carryId: number, carried: CarryAnswer['carried'], reason?: string): void => {
    const why = reason === undefined ? {} : { reason };
    send(pid, { cmd: MESSAGE_COMMAND, carryId, carried, ...why }, undefined, () => {
      // A giver that has gone needs no answer.
    });
  };

  const settle = (relayId: number, carried: CarryAnswer['carried'], reason?: string): void => {
    const relayed = underway.get(relayId);
    if (relayed === undefined) return;
    underway.delete(relayId);
    clearTimeout(relayed.timer);
    relayed.handle.close();
    answer(relayed.fromPid, relayed.carryId, carried, reason);
  };

  const relayNote = (fromPid: number, message: CarryNote): void => {
    for (const toPid of receivers.get(fromPid) ?? []) {
      send(toPid, message, undefined, () => {
        // Its connections went with it.
      });
    }
  };

  const nextReceiver = (fromPid: number): number | undefined => {
    const route = routes.get(fromPid);
    return route?.toPids[route.next++ % route.toPids.length];
  };

  const relay = (fromPid: number, message: CarryMessage, handle: RelayedHandle | undefined): void => {
    const { carryId } = message;
    if (handle === undefined) return answer(fromPid, carryId, 'refused', 'its handle did not arrive');
    const toPid = nextReceiver(fromPid);
    if (toPid === undefined) {
      handle.close();
      return answer(fromPid, carryId, 'refused', 'nobody takes it');
    }
    const relayId = ++lastId;
    const timer = setTimeout(
      () => settle(relayId, 'refused', 'no answer in time'),
      CARRY_TIMEOUT_MS + CARRY_GRACE_MS,
    );
    receivers.set(fromPid, (receivers.get(fromPid) ?? new Set()).add(toPid));
    underway.set(relayId, { fromPid, toPid, carryId, handle, timer });
    send(toPid, { ...message, carryId: relayId }, handle, (error) =>
      settle(relayId, 'refused', error.message),
    );
  };

  return {
    route(fromPid, toPids) {
      if (toPids.length === 0) routes.delete(fromPid);
      else routes.set(fromPid, { toPids, next: 0 });
    },
    onMessage(pid, message, handle) {
      if ('note' in message) relayNote(pid, message);
      else if ('carry' in message) relay(pid, message, handle);
      else if (underway.get(message.carryId)?.toPid === pid)
        settle(message.carryId, message.carried, message.reason);
    },
    onGone(pid) {
      routes.delete(pid);
      receivers.delete(pid);
      for (const pids of receivers.values()) pids.delete(pid);
      for (const [from, { toPids }] of routes) {
        if (toPids.includes(pid))
          this.route(
            from,
            toPids.filter((each) => each !== pid),
          );
      }
      for (const [relayId, { toPid }] of underway) {
        if (toPid === pid) settle(relayId, 'refused', 'the receiver has ended');
      }
    },
  };
}
