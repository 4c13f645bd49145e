/** The end of a probation that was passed: what the release before had is given up, in processes and in what they hold. */

import type { EventEmitter } from 'node:events';
import type { ProveAnswer } from '../protocol/messages.ts';
import type { Crew, Member } from './crew.ts';
import type { PathParts } from './path-parts.ts';
import { ask } from './worker.ts';
import type { WorkersEvents } from './workers-events.ts';

type Events = EventEmitter<WorkersEvents>;

/** Resolves at once: that the generation before has ended is nothing that anybody has to wait for. */
export function prove({ env, roster }: PathParts, events: Events): void {
  const before = roster.proveCurrent();
  const passed = roster.requireCurrent();
  if (before !== null && before !== passed) roster.leaving.leave(before);
  for (const member of passed.members) {
    proveIn(member, passed, events).catch((error: unknown) => {
      env.log(`worker ${member.worker.pid} could not retire the old generation: ${String(error)}`);
    });
  }
}

async function proveIn({ worker }: Member, { generation, release }: Crew, events: Events): Promise<void> {
  const { drainTimeoutMs, policy, upgraded } = release.manifest.settings;
  const { maxRetained } = policy;
  const answer = await ask(worker, { type: 'prove', generation, drainTimeoutMs, maxRetained, upgraded });
  const { retainedCount } = (answer as ProveAnswer | null) ?? { retainedCount: 0 };
  if (retainedCount <= maxRetained) return;
  const message = `worker ${worker.pid} holds ${retainedCount} retired generations, more than policy.maxRetained (${maxRetained}) allows`;
  events.emit('outgrown', { code: 'MF2011', path: 'handoff', message }, generation);
}
