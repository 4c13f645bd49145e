/**
 * Live connections on the way from one worker to another, over the channels of their host. Owns what was given away
 * and not answered yet.
 *
 * 1. Whoever gives a connection has stopped reading it, and keeps its copy of the handle until the outcome.
 * 2. Every gift has one outcome. `accepted` means that the receiver has it; on `refused` nobody has, and the giver goes on.
 * 3. `accepted` is written before the receiver reads; where it can't be written, the receiver lets go of the connection.
 * 4. A receiver refuses what has expired, and a giver waits for its answer a little longer than that. So a message that
 *    is lost, or a process that hangs, costs time but no connection.
 * 5. Where the host has ended, its last answers may be lost: a connection that another process still has after a while is its own.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  CARRY_GRACE_MS,
  CARRY_LATE,
  CARRY_TIMEOUT_MS,
  type CarriedConnection,
  type CarryAnswer,
  type CarryMessage,
  type CarryNote,
  type CarriedNote,
  MESSAGE_COMMAND,
  monotonicMs,
} from '../protocol/messages.ts';
import type { ClientHandle } from './servers/node-internals.ts';

export type CarryOutcome =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly reason: string };

/** A receiver's decision. `start` is called once the giver can't take it back any more; `discard` when the giver was not told, and
 *  keeps the connection. */
export type CarryDecision =
  | { readonly status: 'accepted'; start(): void; discard?(): void }
  | { readonly status: 'refused'; readonly reason: string };

export type Give = (carry: CarriedConnection, handle: ClientHandle) => Promise<CarryOutcome>;
export type Take = (carry: CarriedConnection, handle: ClientHandle) => CarryDecision | Promise<CarryDecision>;
/** Sends something after a connection that was given. */
export type SendNote = (note: CarriedNote) => void;

/** `onSent` gets the error, or null when the message is written. */
type Post = (
  message: CarryMessage | CarryAnswer | CarryNote,
  handle: ClientHandle | undefined,
  onSent: (error: Error | null) => void,
) => void;

export interface CarryChannel {
  readonly give: Give;
  readonly sendNote: SendNote;
  onMessage(message: CarryMessage | CarryAnswer | CarryNote, handle: ClientHandle | undefined): void;
  /** Nobody can answer any more. Resolves when it is known whose each connection is. */
  close(): Promise<void>;
}

export interface CarryChannelOptions {
  /** Writes to the host. */
  readonly post: Post;
  readonly take: Take;
  onNote(note: CarriedNote): void;
  isOpen(): boolean;
  /** Which of them another process has, too. */
  findHeldElsewhere(handles: readonly ClientHandle[]): ReadonlySet<ClientHandle>;
  /** It is not, and nobody has said so. */
  onGone(): void;
}

/** How soon a giver finds out that its host has ended. */
const OPEN_CHECK_INTERVAL_MS = 100;
/** Who has been given a connection, and can't answer any more, has let go of it by then. */
const LET_GO_MS = 1_000;

interface Gift {
  readonly handle: ClientHandle;
  resolve(outcome: CarryOutcome): void;
}

/** Makes it; nothing is under way. */
export function createCarryChannel({
  post,
  take,
  onNote,
  isOpen,
  onGone,
  findHeldElsewhere,
}: CarryChannelOptions): CarryChannel {
  const pending = new Map<number, Gift>();
  let watch: NodeJS.Timeout | null = null;
  let lastId = 0;

  const settle = (id: number, outcome: CarryOutcome): void => {
    const gift = pending.get(id);
    pending.delete(id);
    gift?.resolve(outcome);
    if (pending.size > 0 || watch === null) return;
    clearInterval(watch);
    watch = null;
  };

  const expect = (id: number, gift: Gift): void => {
    pending.set(id, gift);
    // Node keeps 'disconnect' back for as long as a handle is not acknowledged, so forever when the host was killed.
    watch ??= setInterval(() => {
      if (!isOpen()) onGone();
    }, OPEN_CHECK_INTERVAL_MS);
  };

  return {
    give(carry, handle) {
      const { promise, resolve } = Promise.withResolvers<CarryOutcome>();
      const carryId = ++lastId;
      expect(carryId, { handle, resolve });
      const refuse = (reason: string): void => settle(carryId, { status: 'refused', reason });
      const timer = setTimeout(refuse, CARRY_TIMEOUT_MS + CARRY_GRACE_MS, 'no answer in time');
      const message = {
        cmd: MESSAGE_COMMAND,
        carryId,
        carry,
        expiresAtMs: monotonicMs() + CARRY_TIMEOUT_MS,
      } as const;
      try {
        post(message, handle, (error) => {
          if (error !== null) refuse(error.message);
        });
      } catch (error) {
        refuse(String(error));
      }
      return promise.finally(() => clearTimeout(timer));
    },
    onMessage(message, handle) {
      if ('note' in message) onNote(message.note);
      else if ('carry' in message) void answerGift(message, handle, { post, take });
      else if (message.carried === 'accepted') settle(message.carryId, { status: 'accepted' });
      else settle(message.carryId, { status: 'refused', reason: message.reason ?? 'no reason given' });
    },
    sendNote(note) {
      post({ cmd: MESSAGE_COMMAND, carryId: 0, note }, undefined, () => {
        // Whoever it is for has gone.
      });
    },
    async close() {
      let left = [...pending];
      for (const waitMs of [0, LET_GO_MS]) {
        if (left.length > 0) await sleep(waitMs);
        const held = findHeldElsewhere(left.map(([, { handle }]) => handle));
        const isHeld = ([, { handle }]: [number, Gift]): boolean => held.has(handle);
        for (const [id] of left.filter((each) => !isHeld(each)))
          settle(id, { status: 'refused', reason: 'the channel is closed' });
        left = left.filter(isHeld);
      }
      for (const [id] of left) settle(id, { status: 'accepted' });
    },
  };
}

async function answerGift(
  message: CarryMessage,
  handle: ClientHandle | undefined,
  { post, take }: Pick<CarryChannelOptions, 'post' | 'take'>,
): Promise<void> {
  const { carryId, expiresAtMs } = message;
  const decided = decideNow(message, handle, take);
  if (!(decided instanceof Promise)) return answer(post, carryId, decided, handle);
  const decision = await decided;
  if (decision.status === 'refused' || monotonicMs() < expiresAtMs)
    return answer(post, carryId, decision, handle);
  decision.discard?.();
  answer(post, carryId, { status: 'refused', reason: 'it took too long' }, handle);
}

function decideNow(
  { carry, expiresAtMs }: CarryMessage,
  handle: ClientHandle | undefined,
  take: Take,
): CarryDecision | Promise<CarryDecision> {
  if (handle === undefined) return { status: 'refused', reason: 'its handle did not arrive' };
  if (monotonicMs() >= expiresAtMs) return { status: 'refused', reason: CARRY_LATE };
  return take(carry, handle);
}

function answer(
  post: Post,
  carryId: number,
  decision: CarryDecision,
  handle: ClientHandle | undefined,
): void {
  if (decision.status === 'refused') {
    handle?.close();
    const { reason } = decision;
    post({ cmd: MESSAGE_COMMAND, carryId, carried: 'refused', reason }, undefined, () => {
      // A giver that is not told finds out by the time.
    });
    return;
  }
  post({ cmd: MESSAGE_COMMAND, carryId, carried: 'accepted' }, undefined, (error) => {
    if (error === null) decision.start();
    else if (decision.discard === undefined) handle?.close();
    else decision.discard();
  });
}
