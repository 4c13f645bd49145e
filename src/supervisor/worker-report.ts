/** What `status` says of one worker. */

import type { WorkerStatus } from '../protocol/messages.ts';
import type { Member } from './crew.ts';
import { ask } from './worker.ts';

export interface WorkerReport extends Partial<WorkerStatus> {
  readonly pid: number;
  readonly state: Member['state'];
  /** Why only this is known of it: it is not Node, or it did not answer. */
  readonly status: 'known' | 'unasked' | 'silent';
}

export async function toWorkerReport({ worker, state, root }: Member): Promise<WorkerReport> {
  const known = { pid: worker.pid, state };
  if (worker.kind === 'command') return { ...known, status: 'unasked', roots: [root] };
  const status = (await ask(worker, { type: 'status' }).catch(() => null)) as WorkerStatus | null;
  return { ...known, ...status, status: status === null ? 'silent' : 'known' };
}
