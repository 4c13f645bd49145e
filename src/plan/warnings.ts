/** What a plan warns of, one small rule each. Documented in docs/reference/plan-rules.md; a test holds the two equal. */

import type { Hazard, Manifest, StateUse } from '../protocol/manifest.ts';
import { listNames, type DeployPath, type Reason } from './reason.ts';
import type { Comparison } from './rules.ts';
import type { TypeFindings } from './type-findings.ts';

export interface ModuleHazard extends Hazard {
  readonly path: string;
}

/** What is lost or done again, by module and line. */
export function findHazards(
  { current, modules }: Comparison,
  next: Manifest,
  path: DeployPath,
): ModuleHazard[] {
  if (path === 'swap') {
    return modules.flatMap((change) => [
      ...hazardsOf(current, change.path, ['module-state']),
      ...(change.change === 'removed' ? [] : hazardsOf(next, change.path, evaluated)),
    ]);
  }
  // All that the process has in memory goes with it.
  if (path !== 'handoff' && path !== 'restart') return [];
  return [...current.modules.keys()].flatMap((at) => hazardsOf(current, at, ['module-state']));
}

const evaluated: readonly Hazard['kind'][] = [
  'timer',
  'process-listener',
  'side-effect',
  'worker-entry',
  'cluster',
  'native-addon',
];

function hazardsOf(manifest: Manifest, path: string, kinds: readonly Hazard['kind'][]): ModuleHazard[] {
  const hazards = manifest.modules.get(path)?.hazards ?? [];
  return hazards.filter(({ kind }) => kinds.includes(kind)).map((hazard) => ({ path, ...hazard }));
}

export interface Warned extends Comparison {
  readonly hazards: readonly ModuleHazard[];
  readonly types: TypeFindings | null;
}

type Rule = (warned: Warned) => readonly Reason[];

function stateLost({ hazards }: Warned): readonly Reason[] {
  const names = namesOf(hazards, ['module-state']);
  if (names.length === 0) return [];
  return [
    {
      code: 'MF5001',
      path: 'none',
      message: `module-level state starts anew: ${listNames(names)}`,
      fix: 'declare what should stay by state()',
    },
  ];
}

function heldTwice({ hazards }: Warned): readonly Reason[] {
  const names = namesOf(hazards, ['timer', 'process-listener']);
  if (names.length === 0) return [];
  return [
    {
      code: 'MF5002',
      path: 'none',
      message: `timers or listeners of the process are made again: ${listNames(names)}`,
      fix: 'nothing, where a new version may begin it anew; else move it to a module that seldom changes',
    },
  ];
}

function doneAgain({ hazards }: Warned): readonly Reason[] {
  const names = namesOf(hazards, ['side-effect']);
  if (names.length === 0) return [];
  return [
    {
      code: 'MF5003',
      path: 'none',
      message: `what modules do while they are evaluated is done again: ${listNames(names)}`,
      fix: 'do it in a function that is called once, or make what it opens a state() and close it in import.meta.hot.dispose()',
    },
  ];
}

function namesOf(hazards: readonly ModuleHazard[], kinds: readonly Hazard['kind'][]): string[] {
  return hazards
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ path, line, detail }) => `${detail} (${path}:${line})`);
}

interface DeclaredState extends StateUse {
  readonly path: string;
}

function statesOf({ modules }: Manifest): DeclaredState[] {
  return [...modules.values()].flatMap(({ path, states = [] }) => states.map((use) => ({ path, ...use })));
}

/** Not where a name is computed: it may be this one. */
function stateDropped({ current, next }: Warned): readonly Reason[] {
  const declared = statesOf(next);
  if (declared.some(({ name }) => name === null)) return [];
  const names = new Set(declared.map(({ name }) => name));
  const dropped = statesOf(current).filter(({ name }) => name !== null && !names.has(name));
  if (dropped.length === 0) return [];
  const shown = dropped.map(({ name, path, line }) => `"${name ?? ''}" (${path}:${line})`);
  return [
    {
      code: 'MF5004',
      path: 'none',
      message: `no module declares the state ${listNames(shown)} any more, so its value is lost`,
      fix: 'nothing, if it is no longer wanted; a state that only has another name needs its old one',
    },
  ];
}

function stateOlder({ current, next }: Warned): readonly Reason[] {
  const before = new Map(statesOf(current).map(({ name, version }) => [name, version]));
  const older = statesOf(next).flatMap(({ name, version, path, line }) => {
    const was = before.get(name) ?? null;
    if (name === null || version === null || was === null || version >= was) return [];
    return [`"${name}" from ${was} to ${version} (${path}:${line})`];
  });
  if (older.length === 0) return [];
  return [
    {
      code: 'MF5005',
      path: 'none',
      message: `the version of a state goes down: ${listNames(older)}; the code that runs must know the way, by "down"`,
      fix: 'have the release that runs say "down" for each step, or count up',
    },
  ];
}

function addressGone({ current, next }: Warned): readonly Reason[] {
  const served = new Set(addressesOf(next));
  const gone = addressesOf(current).filter((address) => !served.has(address));
  if (gone.length === 0) return [];
  return [
    {
      code: 'MF5006',
      path: 'none',
      message: `an address is served no longer: ${listNames(gone)}`,
      fix: 'move the clients first, or serve both for one release',
    },
  ];
}

/** As far as a release says by itself where it listens. */
function addressesOf({ listen, environment }: Manifest): string[] {
  const port = environment['PORT'];
  return [
    ...listen.map((address) => address.replace(/^[\w-]+=/, '')),
    ...(port === undefined ? [] : [`PORT=${port}`]),
  ];
}

function typesUnchecked({ types }: Warned): readonly Reason[] {
  if (types?.unchecked == null) return [];
  const { reason, paths } = types.unchecked;
  return [
    {
      code: 'MF5007',
      path: 'none',
      message: `whether importers that stay can take the new types was not checked (${listNames(paths)}): ${reason}`,
    },
  ];
}

const onSwap: readonly Rule[] = [stateLost, heldTwice, doneAgain, typesUnchecked];
const onAny: readonly Rule[] = [stateDropped, stateOlder, addressGone];

/** All that is to be said of a path. */
export function findWarnings(warned: Warned, path: DeployPath): readonly Reason[] {
  if (path === 'none' || path === 'rejected') return [];
  const rules = path === 'swap' ? [...onSwap, ...onAny] : onAny;
  return rules.flatMap((rule) => rule(warned));
}
