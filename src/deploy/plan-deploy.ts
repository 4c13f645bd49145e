/** A dry run: the release is built and compared with what runs, and nothing is applied. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { toPlan, type Plan, type PlanInput, type Policy } from '../plan/plan.ts';
import { toShownPlan } from '../plan/plan-id.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { buildRelease, type BuiltRelease } from '../release/build.ts';
import { toHome, toReleaseLocation, type Home } from '../release/home.ts';
import { takeBuildTurn } from '../release/store-turn.ts';
import type { RunnableRelease } from '../supervisor/process-host.ts';
import { completePlan, readExportTypes, type PlanSources } from './complete-plan.ts';
import { openHistory } from './history.ts';
import { readRelease } from './releases.ts';
import { keepShownPlan } from './shown-plans.ts';
import { removeFolder } from './sweep.ts';

export interface PlanRequest {
  readonly appDirectory: string;
  readonly ref: string;
  readonly isDirty: boolean;
  readonly path: Policy['path'];
  readonly signal?: AbortSignal;
}

/** A plan that can be applied by its id, as long as it is still so. */
export interface PlannedDeploy extends Plan {
  readonly id: string;
  /** The release that runs. */
  readonly current: string | null;
  readonly commit: string | null;
}

/** Builds, plans, and removes the release again. Errors: those of the build. */
export async function planDeploy(request: PlanRequest): Promise<PlannedDeploy> {
  const home = toHome(request.appDirectory);
  const { ref, isDirty, signal } = request;
  const work = async (): Promise<PlannedDeploy> => {
    const built = await buildRelease({ home, ref, isDirty, signal, onStep: () => undefined });
    try {
      return await planBuilt(home, built, request.path);
    } finally {
      await removeFolder(home, path.join(home.releases, built.manifest.id));
    }
  };
  return takeBuildTurn(home, work, signal);
}

async function planBuilt(
  home: Home,
  { manifest: next, problems }: BuiltRelease,
  wanted: Policy['path'],
): Promise<PlannedDeploy> {
  const { release, unswappable } = await readPast(home);
  const current = release?.manifest ?? null;
  const policy = { path: wanted, unswappable };
  const input: PlanInput = { current, next, problems: problems.map(toErrorReport), policy };
  const sources: PlanSources = {
    before: release?.location.root ?? null,
    after: toReleaseLocation(home, next.id).root,
    cacheDirectory: home.cache,
  };
  const exportTypes = readExportTypes(toPlan(input), sources);
  const plan = await completePlan({ ...input, exportTypes }, sources);
  const shown = toShownPlan(current, next, plan);
  await keepShownPlan(home, shown);
  return { id: shown.id, current: shown.current, commit: next.commit, ...plan };
}

interface Past {
  readonly release: RunnableRelease | null;
  readonly unswappable: ReadonlySet<string>;
}

async function readPast(home: Home): Promise<Past> {
  if (!existsSync(home.database)) return { release: null, unswappable: new Set() };
  const history = openHistory(home.database);
  try {
    const id = history.current();
    const release = id === null ? null : await readRelease(home, id);
    return { release, unswappable: history.unswappable() };
  } finally {
    history.close();
  }
}
