/** Takes the data of a state from one version to another: up by what the newer code says, and down by what it says too. */

import { MidflightError } from '../errors.ts';
import type { AnyStateOptions } from './state-options.ts';

export interface StateMigration {
  readonly name: string;
  /** A copy: it may be written to. */
  readonly data: unknown;
  readonly from: number;
  readonly to: number;
  /** The `migrate` of the newer of the two versions; code knows nothing of versions after its own. */
  readonly migrate: AnyStateOptions['migrate'];
}

interface Step {
  /** As the user is told. */
  readonly label: string;
  run(data: unknown): unknown;
}

/** Data of version `to`.
 *  Errors: ERR_MIDFLIGHT_STATE_UNMIGRATED, before anything is called; ERR_MIDFLIGHT_STATE_MIGRATION_FAILED. */
export function migrateData(migration: StateMigration): unknown {
  const steps = migration.to > migration.from ? stepsUp(migration) : stepsDown(migration);
  let { data } = migration;
  for (const { label, run } of steps) {
    data = attempt(migration, label, () => run(data));
    const isPromise = typeof data === 'object' && data !== null && 'then' in data;
    if (data === undefined || isPromise) {
      const problem =
        data === undefined ? 'returned nothing' : 'returned a promise, and has to be synchronous';
      throw failure(migration, `${label} ${problem}`);
    }
  }
  return data;
}

/** Calls code of the app for a migration, and reports what it throws as a failure of that. */
export function attempt<Result>(
  migration: Pick<StateMigration, 'name' | 'from' | 'to'>,
  label: string,
  act: () => Result,
): Result {
  try {
    return act();
  } catch (cause) {
    throw failure(migration, `${label} threw ${describeError(cause)}`, { cause });
  }
}

function stepsUp({ name, from, to, migrate }: StateMigration): Step[] {
  if (typeof migrate === 'function') {
    return [{ label: `migrate from ${from}`, run: (data) => migrate(data, from) }];
  }
  return Array.from({ length: to - from }, (_, index) => {
    const version = from + index + 1;
    const step = migrate?.[version];
    if (step === undefined) throw unmigrated({ name, from, to }, version);
    return { label: `up to ${version}`, run: (data) => step.up(data) };
  });
}

function stepsDown({ name, from, to, migrate }: StateMigration): Step[] {
  return Array.from({ length: from - to }, (_, index) => {
    const version = from - index;
    const step = typeof migrate === 'function' ? undefined : migrate?.[version];
    if (step?.down === undefined) throw unmigrated({ name, from, to }, version);
    return { label: `down from ${version}`, run: (data) => step.down?.(data) };
  });
}

type Versions = Pick<StateMigration, 'name' | 'from' | 'to'>;

function unmigrated({ name, from, to }: Versions, step: number): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_STATE_UNMIGRATED', [name, from, to, step]);
}

function failure({ name, from, to }: Versions, problem: string, options?: ErrorOptions): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_STATE_MIGRATION_FAILED', [name, from, to, problem], options);
}

/** The error with the line that threw it. */
function describeError(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const place = /^\s+at (?:.*\()?(.+?:\d+:\d+)\)?$/m.exec(stack)?.[1];
  return place === undefined ? String(error) : `${String(error)} (${place})`;
}
