/** The states of workers that give place to others: what is told of those that are lost on the way. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkerRequest } from '../../src/protocol/messages.ts';
import type { Member } from '../../src/supervisor/crew.ts';
import { createStateHandover } from '../../src/supervisor/state-handover.ts';

const report = {
  states: [{ name: 'visits', byteCount: 8, durationMs: 1 }],
  failures: [],
  stateMs: 1,
  quiesceMs: 1,
  inFlightCount: 0,
};

function toMember(pid: number, state: Member['state']): Member {
  const answers: Partial<Record<WorkerRequest['type'], unknown>> = { states: ['visits'], sendState: report };
  const request = async ({ type }: WorkerRequest): Promise<unknown> => answers[type] ?? null;
  return {
    worker: { kind: 'node', pid, request, hasExited: () => state === 'starting' },
    state,
  } as unknown as Member;
}

test('what has been passed to a worker that did not come to serve is told, and of one that serves nothing', async () => {
  const lost: string[] = [];
  const env = { log: () => undefined, stateSocketOf: String };
  const states = createStateHandover(env, (message) => lost.push(message));
  const successions = [
    { from: toMember(1, 'serving'), to: toMember(11, 'starting') },
    { from: toMember(2, 'serving'), to: toMember(12, 'serving') },
  ];
  states.noteUncommitted(successions);
  assert.deepEqual(lost, []);
  await states.pass(successions, 0);
  states.noteUncommitted(successions);
  assert.deepEqual(lost, [
    'worker 11 ended before it served, and with it what worker 1 had passed to it: "visits"',
  ]);
});
