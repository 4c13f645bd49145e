/** A plan with what only the sources tell: the compiler's word on modules that are replaced in place, and the types of exports. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ExportTypes } from '../plan/module-changes.ts';
import { toPlan, type Plan, type PlanInput } from '../plan/plan.ts';
import { findReplaced } from '../plan/staying-importers.ts';
import type { TypeFindings } from '../plan/type-findings.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { checkAssignable } from '../release/assignable-types.ts';
import { readExportedTypes } from '../release/exported-types.ts';
import { isTyped } from '../release/type-problems.ts';

/** The trees of both releases, and where a compiler's word is kept. */
export interface PlanSources {
  readonly before: string | null;
  readonly after: string;
  readonly cacheDirectory: string;
  /** A compiler is asked, which takes a while. */
  onCheck?(paths: readonly string[]): void;
  /** Aborted: nobody wants the plan any more. */
  readonly signal?: AbortSignal;
}

/** A compiler that takes longer than this keeps a deploy waiting for what it could have found by "typecheck". */
const CHECK_TIMEOUT_MS = 120_000;
/** Of more modules than this nobody reads the types. */
const MODULES_READ_MAX = 200;

/** Costs nothing where no module is replaced in place under importers that stay. */
export async function completePlan(input: PlanInput, sources: PlanSources): Promise<Plan> {
  const plan = toPlan(input);
  if (plan.path !== 'swap') return plan;
  const types = await findTypes(plan, input, sources);
  return types === null ? plan : toPlan({ ...input, types });
}

async function findTypes(
  { modules }: Plan,
  { current, next }: PlanInput,
  { before, after, cacheDirectory, signal, onCheck }: PlanSources,
): Promise<TypeFindings | null> {
  const replaced = findReplaced(modules, next).filter((each) => isTyped(each.path));
  if (replaced.length === 0 || before === null) return null;
  const paths = replaced.map((each) => each.path);
  onCheck?.(paths);
  const found = await checkAssignable({
    before,
    after,
    appFolder: next.appFolder ?? '',
    modules: replaced,
    evaluated: modules.map((module) => module.path),
    differing: differingSources(current, next),
    cacheDirectory,
    timeoutMs: CHECK_TIMEOUT_MS,
    signal,
  });
  if (found.status === 'checked') return { misfits: found.misfits, unchecked: null };
  return { misfits: [], unchecked: { reason: found.reason, paths } };
}

/** Also those in which nothing but types does: as modules they are the same. Older releases do not list their files. */
function differingSources(current: Manifest | null, next: Manifest): readonly string[] {
  const [before, after] = [current?.contents?.files, next.contents?.files];
  if (before === undefined || after === undefined) return [];
  const paths = Object.keys({ ...before, ...after }).filter(isTyped);
  return paths.filter((at) => !isDeepStrictEqual(before[at], after[at]));
}

/** What the exports of these modules are stated to be, for a person to read. */
export function readExportTypes(plan: Plan, { before, after }: PlanSources): ExportTypes {
  const changed = plan.modules.filter(({ change, path: at }) => change !== 'reached' && isTyped(at));
  return new Map(
    changed.slice(0, MODULES_READ_MAX).map(({ path: at }) => {
      const types = { before: typesOf(before, at), after: typesOf(after, at) };
      return [at, types] as const;
    }),
  );
}

function typesOf(tree: string | null, at: string): ReadonlyMap<string, string> {
  if (tree === null) return new Map();
  try {
    return readExportedTypes(at, readFileSync(path.join(tree, at), 'utf8'));
  } catch {
    // Only one of the releases has it.
    return new Map();
  }
}
