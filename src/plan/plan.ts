/**
 * What a deploy will do, worked out before anything changes. Pure: two manifests, what is known of the build and of
 * the past, and what was asked for, in; path, steps and reasons out. The same for `midflight plan` and for a deploy.
 * Rules and their codes: docs/reference/plan-rules.md.
 */

import type { ErrorReport } from '../protocol/messages.ts';
import { toModuleVersion, type Hazard, type Manifest } from '../protocol/manifest.ts';
import { compareModules, type ModuleChange } from './module-changes.ts';
import type { DeployPath, Reason } from './reason.ts';
import { differenceRules } from './rules.ts';

export interface Policy {
  /** `auto` takes the lightest safe path; the others are the user's word, taken where it is possible. */
  readonly path: 'auto' | 'swap' | 'handoff' | 'restart';
  /** Versions of modules that could not be evaluated in a running process, and could in a fresh one. */
  readonly unswappable: ReadonlySet<string>;
}

export interface PlanStep {
  readonly name: string;
  readonly undo: string;
}

export interface ModuleHazard extends Hazard {
  readonly path: string;
}

export interface Plan {
  readonly path: DeployPath;
  readonly steps: readonly PlanStep[];
  readonly reasons: readonly Reason[];
  readonly modules: readonly ModuleChange[];
  readonly hazards: readonly ModuleHazard[];
}

export interface PlanInput {
  /** The release that runs; null when none does. */
  readonly current: Manifest | null;
  readonly next: Manifest;
  readonly problems: readonly ErrorReport[];
  readonly policy: Policy;
}

const weight: Record<DeployPath, number> = { none: 0, swap: 1, handoff: 2, restart: 3, rejected: 4 };

/** Works out the plan. */
export function toPlan(input: PlanInput): Plan {
  const { current, next } = input;
  const modules = current === null ? [] : compareModules(current, next);
  const reasons = findReasons(input, modules);
  const path = reasons.reduce<DeployPath>(
    (heaviest, { path: own }) => (weight[own] > weight[heaviest] ? own : heaviest),
    'none',
  );
  const reevaluated = new Set(
    modules.filter(({ change }) => change !== 'removed').map((module) => module.path),
  );
  return {
    path,
    steps: stepsOf(path),
    reasons,
    modules,
    hazards: path === 'swap' ? hazardsOf(next, reevaluated) : [],
  };
}

function findReasons(input: PlanInput, modules: readonly ModuleChange[]): readonly Reason[] {
  const { current, next, problems, policy } = input;
  const rejections = problems.map(({ message }): Reason => ({ code: 'MF3001', path: 'rejected', message }));
  if (rejections.length > 0) return rejections;
  if (current === null) {
    return [
      {
        code: 'MF2000',
        path: 'handoff',
        message: 'nothing runs yet, so the release starts in new processes',
      },
    ];
  }
  const found = differenceRules.flatMap((rule) => rule({ current, next, modules }));
  const stuck = modules.find((module) => isUnswappable(module, input));
  if (stuck !== undefined && found.every(({ path }) => path === 'swap')) {
    const message = `${stuck.path} could not be evaluated in a running process before, and could in a fresh one`;
    found.push({ code: 'MF2005', path: 'handoff', message });
  }
  const asked = toAsked(policy.path, found);
  if (asked !== null) found.push(asked);
  return found.length > 0
    ? found
    : [{ code: 'MF0001', path: 'none', message: 'nothing differs from what runs' }];
}

function isUnswappable({ path }: ModuleChange, { next, policy }: PlanInput): boolean {
  const module = next.modules.get(path);
  return module !== undefined && policy.unswappable.has(toModuleVersion(module));
}

function toAsked(asked: Policy['path'], found: readonly Reason[]): Reason | null {
  if (asked === 'handoff' || asked === 'restart') {
    return { code: 'MF2010', path: asked, message: `${asked} was asked for with --path ${asked}` };
  }
  if (asked === 'swap' && found.some(({ path }) => weight[path] > weight.swap)) {
    const why = found.filter(({ path }) => weight[path] > weight.swap).map(({ message }) => message);
    return {
      code: 'MF3010',
      path: 'rejected',
      message: `a swap was asked for with --path swap and is not possible: ${why.join('; ')}`,
    };
  }
  return null;
}

function hazardsOf(next: Manifest, reevaluated: ReadonlySet<string>): ModuleHazard[] {
  return [...reevaluated].flatMap((path) =>
    (next.modules.get(path)?.hazards ?? []).map((hazard) => ({ path, ...hazard })),
  );
}

const steps: Record<DeployPath, readonly PlanStep[]> = {
  none: [],
  swap: [
    { name: 'prepare the new generation beside the running one', undo: 'drop it' },
    { name: 'commit in every worker', undo: 'point back to the generation before' },
    { name: 'watch during probation', undo: 'point back to the generation before' },
    { name: 'retire the old generation', undo: 'none: the new one has proved itself' },
  ],
  handoff: [
    { name: 'start new workers', undo: 'end them' },
    { name: 'let them take over the listeners', undo: 'give the listeners back to the old workers' },
    { name: 'drain the old workers', undo: 'let the old workers accept again' },
    { name: 'watch during probation', undo: 'give the listeners back to the old workers' },
    { name: 'end the old workers', undo: 'none: the new ones have proved themselves' },
  ],
  restart: [
    { name: 'drain and end the old workers', undo: 'start workers of the old release' },
    { name: 'start new workers', undo: 'start workers of the old release' },
    { name: 'watch during probation', undo: 'start workers of the old release' },
  ],
  rejected: [],
};

function stepsOf(path: DeployPath): readonly PlanStep[] {
  return steps[path];
}
