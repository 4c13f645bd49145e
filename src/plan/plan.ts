/**
 * What a deploy will do, worked out before anything changes. Pure: two manifests, what is known of the build and of
 * the past, and what was asked for, in; path, steps and reasons out. The same for `midflight plan` and for a deploy.
 * Rules and their codes: docs/reference/plan-rules.md.
 */

import { toModuleVersion, type Manifest } from '../protocol/manifest.ts';
import type { ErrorReport } from '../protocol/messages.ts';
import { allowableCodes } from '../protocol/plan-policy.ts';
import { compareModules, type ExportTypes, type ModuleChange } from './module-changes.ts';
import { isAllowed, toHandoff, weighRelease, weighWarning, type PlanPolicy } from './policy.ts';
import { isHeavier, toHeaviest, type DeployPath, type Reason } from './reason.ts';
import { cannotLink, releaseRules } from './release-rules.ts';
import { differenceRules, type Comparison } from './rules.ts';
import { misfitsOf, type TypeFindings } from './type-findings.ts';
import { findHazards, findWarnings, type ModuleHazard } from './warnings.ts';

export interface Policy {
  /** `auto` takes the lightest safe path; the others are the user's word, taken where it is possible. */
  readonly path: 'auto' | 'swap' | 'handoff' | 'restart';
  /** Versions of modules that could not be evaluated in a running process, and could in a fresh one. */
  readonly unswappable: ReadonlySet<string>;
  /** Whoever goes back has a reason to: what a policy or a rule of types would reject is warned of. */
  readonly isGoingBack?: boolean;
}

export interface PlanStep {
  readonly name: string;
  readonly undo: string;
}

export interface Plan {
  readonly path: DeployPath;
  readonly steps: readonly PlanStep[];
  readonly reasons: readonly Reason[];
  /** What to know, and does not change the path. */
  readonly warnings: readonly Reason[];
  readonly modules: readonly ModuleChange[];
  readonly hazards: readonly ModuleHazard[];
}

export interface PlanInput {
  /** The release that runs; null when none does. */
  readonly current: Manifest | null;
  readonly next: Manifest;
  readonly problems: readonly ErrorReport[];
  readonly policy: Policy;
  /** What the compiler says of modules that are replaced in place; absent before it was asked. */
  readonly types?: TypeFindings | null;
  /** What the exports of changed modules are, where somebody wants to read it. */
  readonly exportTypes?: ExportTypes;
}

/** Works out the plan. */
export function toPlan(input: PlanInput): Plan {
  const { current, next } = input;
  const unlinked = cannotLink(input);
  const modules = current === null ? [] : compareModules(current, next, input.exportTypes);
  if (unlinked.length > 0) return settle({ reasons: unlinked, warnings: [], modules, hazards: [] });
  const own = releaseRules.flatMap((rule) => rule(input)).map((each) => weighRelease(each, policyOf(input)));
  const found: Found =
    current === null
      ? { reasons: [nothingRuns], warnings: [], hazards: [] }
      : compare(input, { current, next, modules });
  return settle({ ...found, modules, reasons: [...found.reasons, ...own], warnings: [...found.warnings] });
}

type Found = Pick<Plan, 'reasons' | 'warnings' | 'hazards'>;

function settle({ reasons, warnings, modules, hazards }: Omit<Plan, 'path' | 'steps'>): Plan {
  const path = toHeaviest(reasons);
  return {
    path,
    steps: steps[path],
    reasons: reasons.filter((reason) => !isNotice(reason)),
    warnings: [...warnings, ...reasons.filter((reason) => isNotice(reason))],
    modules,
    hazards,
  };
}

function isNotice({ code, path }: Reason): boolean {
  return path === 'none' && code !== 'MF0001';
}

const nothingRuns: Reason = {
  code: 'MF2000',
  path: 'handoff',
  message: 'nothing runs yet, so the release starts in new processes',
};

function compare(input: PlanInput, comparison: Comparison): Found {
  const reasons = [...findDifferences(input, comparison)];
  const { next } = comparison;
  const policy = policyOf(input);
  const types = input.types ?? null;
  const warnedOf = (path: DeployPath): readonly Reason[] => {
    const hazards = findHazards(comparison, next, path);
    return findWarnings({ ...comparison, hazards, types }, path);
  };
  if (toHeaviest(reasons) === 'swap') {
    reasons.push(...misfitsOf(types, isAllowed({ code: 'MF3002' }, policy)));
    reasons.push(...toHandoff(warnedOf('swap'), policy));
  }
  const path = toHeaviest(reasons);
  const weighed = warnedOf(path).map((warning) => weighWarning(warning, policy));
  reasons.push(...weighed.filter((each) => each.path === 'rejected'));
  const refused = toRefusal(input.policy.path, reasons);
  if (refused !== null) reasons.push(refused);
  return {
    reasons,
    warnings: weighed.filter((each) => each.path !== 'rejected'),
    hazards: findHazards(comparison, next, path),
  };
}

function policyOf({ next, policy }: PlanInput): PlanPolicy {
  return policy.isGoingBack === true ? goingBack : next.settings.policy;
}

const goingBack: PlanPolicy = { strict: false, stateLoss: 'warn', allow: allowableCodes };

function findDifferences({ policy }: PlanInput, comparison: Comparison): readonly Reason[] {
  const { next, modules } = comparison;
  const found = differenceRules.flatMap((rule) => rule(comparison));
  const stuck = modules.find((module) => isUnswappable(module, next, policy));
  if (stuck !== undefined && found.every(({ path }) => path === 'swap')) {
    const message = `${stuck.path} could not be evaluated in a running process before, and could in a fresh one`;
    found.push({ code: 'MF2005', path: 'handoff', message });
  }
  const asked = policy.path;
  if (asked === 'handoff' || asked === 'restart') {
    found.push({ code: 'MF2010', path: asked, message: `${asked} was asked for with --path ${asked}` });
  }
  return found.length > 0
    ? found
    : [{ code: 'MF0001', path: 'none', message: 'nothing differs from what runs' }];
}

function isUnswappable({ path }: ModuleChange, next: Manifest, { unswappable }: Policy): boolean {
  const module = next.modules.get(path);
  return module !== undefined && unswappable.has(toModuleVersion(module));
}

/** More than a swap, where a swap was asked for. */
function toRefusal(asked: Policy['path'], found: readonly Reason[]): Reason | null {
  const why = found.filter(({ path }) => isHeavier(path, 'swap'));
  if (asked !== 'swap' || why.length === 0) return null;
  const message = `a swap was asked for with --path swap and is not possible: ${why.map((each) => each.message).join('; ')}`;
  return {
    code: 'MF3010',
    path: 'rejected',
    message,
    fix: 'leave --path out, and the lightest safe path is taken',
  };
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
