/** The rules of a plan, one small function each. Documented in docs/reference/plan-rules.md; a test holds the two equal. */

import { isDeepStrictEqual } from 'node:util';
import { differingAssets, type Manifest } from '../protocol/manifest.ts';
import type { ModuleChange } from './module-changes.ts';
import { listNames, type Reason } from './reason.ts';

export interface Comparison {
  readonly current: Manifest;
  readonly next: Manifest;
  readonly modules: readonly ModuleChange[];
}

type Rule = (comparison: Comparison) => readonly Reason[];

const none: readonly Reason[] = [];

function modulesChanged({ modules }: Comparison): readonly Reason[] {
  const changed = modules
    .filter(({ change }) => change !== 'reached')
    .map(({ path, change }) => `${path} (${change})`);
  if (changed.length === 0) return none;
  return [{ code: 'MF1001', path: 'swap', message: `app modules differ: ${listNames(changed)}` }];
}

function entryChanged({ current, next }: Comparison): readonly Reason[] {
  if (next.entry === current.entry) return none;
  return [
    {
      code: 'MF1001',
      path: 'swap',
      message: `the entry is ${next.entry ?? 'none'}, was ${current.entry ?? 'none'}`,
    },
  ];
}

function assetsChanged({ current, next }: Comparison): readonly Reason[] {
  if (next.kind === 'command') return none;
  const changed = differingAssets(current.assets, next.assets);
  if (changed.length === 0) return none;
  return [
    { code: 'MF1002', path: 'swap', message: `files that no module imports differ: ${listNames(changed)}` },
  ];
}

function settingsChanged({ current, next }: Comparison): readonly Reason[] {
  if (next.kind === 'command') return none;
  const names = listDifferences(current.settings, next.settings);
  if (names.length === 0) return none;
  return [{ code: 'MF1003', path: 'swap', message: `settings differ: ${names.join(', ')}` }];
}

function dependenciesChanged({ current, next }: Comparison): readonly Reason[] {
  if (current.dependenciesHash === next.dependenciesHash) return none;
  const what = packageDifferences(current.packages, next.packages);
  const message = `the lockfile or the dependencies of package.json differ${what === '' ? '' : `: ${what}`}`;
  return [{ code: 'MF2001', path: 'handoff', message }];
}

type Packages = Manifest['packages'];

/** `express 4.21.2 → 5.1.0 (major), pino added`. */
function packageDifferences(before: Packages, after: Packages): string {
  if (before === undefined || after === undefined) return '';
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  const changes = names.flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    if (was === is) return [];
    if (was === undefined) return [`${name} ${is} added`];
    if (is === undefined) return [`${name} ${was} removed`];
    const isMajor = was.split('.')[0] !== is.split('.')[0];
    return [`${name} ${was} → ${is}${isMajor ? ' (major)' : ''}`];
  });
  return changes.length === 0 ? 'only what these depend on' : listNames(changes);
}

function processChanged({ current, next }: Comparison): readonly Reason[] {
  const differs = [
    current.nodeVersion === next.nodeVersion
      ? null
      : `Node is ${next.nodeVersion}, was ${current.nodeVersion}`,
    isSame(current.nodeOptions, next.nodeOptions) ? null : 'nodeOptions differ',
    isSame(current.args, next.args) ? null : 'the arguments of the start script differ',
    isSame(current.environment, next.environment) ? null : 'the variables that the start script sets differ',
    current.environmentHash === next.environmentHash ? null : 'the environment file differs',
    current.workers === next.workers ? null : `workers is ${next.workers}, was ${current.workers}`,
  ].filter((text) => text !== null);
  if (differs.length === 0) return none;
  return [{ code: 'MF2002', path: 'handoff', message: differs.join('; ') }];
}

/** Accepted, but not possible: the change goes on to the importers. */
function notInPlace({ modules }: Comparison): readonly Reason[] {
  return modules.flatMap(({ path, refusal }): readonly Reason[] => {
    if (refusal === null) return none;
    const message = `${path} is not replaced in place, so what imports it is evaluated again: ${refusal}`;
    const fix = 'keep what the old version has, if its importers are to stay';
    return [{ code: 'MF1004', path: 'swap', message, fix }];
  });
}

function declined({ current, modules }: Comparison): readonly Reason[] {
  return modules.flatMap(({ path }): readonly Reason[] => {
    if (current.modules.get(path)?.hot?.declines !== true) return none;
    const message = `${path} would be evaluated again and declines that: import.meta.hot.decline()`;
    return [{ code: 'MF2004', path: 'handoff', message }];
  });
}

const kindNames: Record<string, string> = {
  'worker-entry': 'starts worker threads or child processes',
  cluster: 'uses node:cluster',
  'native-addon': 'loads a native addon or imports WebAssembly',
};

function processBound({ next, modules }: Comparison): readonly Reason[] {
  return modules.flatMap(({ path }) =>
    (next.modules.get(path)?.hazards ?? []).flatMap(({ kind, line }): readonly Reason[] => {
      const what = kindNames[kind];
      if (what === undefined) return none;
      return [
        { code: 'MF2003', path: 'handoff', message: `${path}:${line} would be evaluated again and ${what}` },
      ];
    }),
  );
}

function notNode({ current, next }: Comparison): readonly Reason[] {
  if (next.kind === 'node' && current.kind === 'node') return none;
  const isUnchanged =
    current.kind === next.kind &&
    isSame(
      [current.command, current.listen, current.assets, current.settings],
      [next.command, next.listen, next.assets, next.settings],
    );
  if (isUnchanged) return none;
  return [
    {
      code: 'MF2006',
      path: 'handoff',
      message: `the app ${next.kind === 'node' ? 'was' : 'is'} not a Node program, so a new process takes over`,
    },
  ];
}

/** Every rule that compares two releases, lightest path first. */
export const differenceRules: readonly Rule[] = [
  modulesChanged,
  entryChanged,
  assetsChanged,
  settingsChanged,
  notInPlace,
  dependenciesChanged,
  processChanged,
  processBound,
  declined,
  notNode,
];

/** Whatever the order of keys, which is another one in a manifest that was read back. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}

function listDifferences(current: object, next: object): string[] {
  const before = new Map(Object.entries(current));
  return Object.entries(next).flatMap(([name, value]) => (isSame(before.get(name), value) ? [] : [name]));
}
