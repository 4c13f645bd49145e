/** What a plan that was shown is known by, so that it, and nothing else, can be applied: an id, and what it was made of. */

import { createHash } from 'node:crypto';
import type { Manifest } from '../protocol/manifest.ts';
import type { Plan } from './plan.ts';
import { listNames, type DeployPath } from './reason.ts';

/** A plan as it is kept until it is applied. */
export interface ShownPlan {
  readonly id: string;
  /** The release that ran. */
  readonly current: string | null;
  readonly path: DeployPath;
  /** `MF1001 app modules differ: …`. */
  readonly reasons: readonly string[];
  /** Everything in the new release that a plan goes by, by name, with a digest. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Whoever pushes may make two trees to look for the same id; with less that would be found. */
const PLAN_ID_LENGTH = 32;

/** Two plans have one id where the same release runs, the same tree comes, and the same is to be done for the same reasons. */
export function toShownPlan(current: Manifest | null, next: Manifest, plan: Plan): ShownPlan {
  const made = {
    current: current?.id ?? null,
    path: plan.path,
    reasons: plan.reasons.map(({ code, message }) => `${code} ${message}`),
    parts: toParts(next),
  };
  return { id: digest(made).slice(0, PLAN_ID_LENGTH), ...made };
}

/** Says what is otherwise than it was shown. */
export function describeMoved(shown: ShownPlan, now: ShownPlan): string {
  const names = [...new Set([...Object.keys(shown.parts), ...Object.keys(now.parts)])];
  const differing = names.filter((name) => shown.parts[name] !== now.parts[name]).toSorted();
  const moved = [
    shown.current === now.current
      ? null
      : `${now.current ?? 'nothing'} runs now, and ${shown.current ?? 'nothing'} did`,
    differing.length === 0 ? null : `the new release has other ${listNames(differing)}`,
    shown.path === now.path ? null : `the path is ${now.path}, and was ${shown.path}`,
    shown.reasons.join() === now.reasons.join() ? null : `the reasons are: ${now.reasons.join('; ')}`,
  ];
  return moved.filter((text) => text !== null).join('; ');
}

/** These change with each build, or are told by file. */
const passing = new Set<string>([
  'id',
  'createdAt',
  'commit',
  'isDirty',
  'modules',
  'assets',
  'settings',
  'contents',
]);

function toParts(next: Manifest): Record<string, string> {
  const { modules, assets, settings, contents } = next;
  const files = contents?.files ?? {};
  const paths = new Set([...modules.keys(), ...Object.keys(assets), ...Object.keys(files)]);
  const others = Object.entries(next).filter(([name]) => !passing.has(name));
  return Object.fromEntries([
    ...[...paths].toSorted().map((path) => {
      const module = modules.get(path);
      return [path, digest([module?.hash, module?.requests, assets[path]?.hash, files[path]])] as const;
    }),
    ...others.map(([name, value]) => [name, digest(value)] as const),
    ...Object.entries(settings).map(([name, value]) => [`"${name}"`, digest(value)] as const),
  ]);
}

function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('hex');
}
