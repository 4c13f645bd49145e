/** The rules that a release has to pass whatever runs, one small function each. */

import type { Manifest } from '../protocol/manifest.ts';
import type { ErrorReport } from '../protocol/messages.ts';
import { isInRange } from './node-range.ts';
import type { Reason } from './reason.ts';

/** What is known of a release by itself. */
export interface ReleaseFacts {
  readonly next: Manifest;
  readonly problems: readonly ErrorReport[];
}

type Rule = (facts: ReleaseFacts) => readonly Reason[];

/** Imports that can't be linked. With these nothing else is looked at. */
export function cannotLink({ problems }: ReleaseFacts): readonly Reason[] {
  return problems
    .filter(({ code }) => code !== 'ERR_MIDFLIGHT_TYPES_WRONG')
    .map(({ message }) => ({ code: 'MF3001', path: 'rejected', message }));
}

function typesWrong({ problems }: ReleaseFacts): readonly Reason[] {
  return problems
    .filter(({ code }) => code === 'ERR_MIDFLIGHT_TYPES_WRONG')
    .map(({ message }) => ({
      code: 'MF3003',
      path: 'rejected',
      message,
      fix: 'correct what the check found, and commit; or leave "typecheck" out of the configuration',
    }));
}

function nodeOutOfRange({ next }: ReleaseFacts): readonly Reason[] {
  const range = next.nodeRange ?? null;
  if (next.kind === 'command' || range === null || isInRange(next.nodeVersion, range) !== false) return [];
  return [
    {
      code: 'MF3004',
      path: 'rejected',
      message: `package.json asks for Node ${range} ("engines"), and this is ${next.nodeVersion}`,
      fix: 'run Midflight with such a Node, or correct "engines" in package.json',
    },
  ];
}

/** Every other rule for a release by itself. */
export const releaseRules: readonly Rule[] = [typesWrong, nodeOutOfRange];
