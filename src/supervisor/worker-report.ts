/** What `status` says of one worker. */

import type { WorkerStatus } from '../protocol/messages.ts';
import type { Member } from './crew.ts';
import { askWithin } from './worker.ts';

/** Somebody waits at a terminal. */
const STATUS_TIMEOUT_MS = 2_000;

export interface WorkerReport extends Partial<WorkerStatus> {
  readonly pid: number;
  readonly state: Member['state'];
  /** When a worker that drains is ended, ISO 8601; null in one that serves, or that is kept to go back to. */
  readonly drainDeadline: string | null;
  /** Why only this is known of it: it is not Node, or it did not answer. */
  readonly status: 'known' | 'unasked' | 'silent';
}

/** `deadlineAt`, in milliseconds since 1970, is of one that is to end. */
export async function toWorkerReport(
  { worker, state, root }: Member,
  deadlineAt?: number,
): Promise<WorkerReport> {
  const drainDeadline = deadlineAt === undefined ? null : new Date(deadlineAt).toISOString();
  const known = { pid: worker.pid, state, drainDeadline };
  if (worker.kind === 'command') return { ...known, status: 'unasked', roots: [root] };
  const status = (await askWithin(worker, { type: 'status' }, STATUS_TIMEOUT_MS).catch(
    () => null,
  )) as WorkerStatus | null;
  return { ...known, ...status, status: status === null ? 'silent' : 'known' };
}
