/**
 * How far a change goes: from the modules that differ to all that import them, up to boundaries. Shared by the plan, which
 * knows what the text of a module accepts, and by the runtime, which knows what it has accepted.
 *
 * 1. A module that accepts itself is replaced in place: its importers stay, unless it can't take the old one's place.
 * 2. A module that accepts a dependency stays when that one is evaluated again.
 * 3. What imports a replaced module and does not accept it is evaluated again, and so on.
 */

import type { Importers } from './importers.ts';
import type { ManifestModule, ManifestModules } from './manifest.ts';
import { acceptsItself, whyNotInPlace } from './replace-in-place.ts';

export interface PropagateOptions {
  readonly before: (path: string) => ManifestModule | undefined;
  readonly after: ManifestModules;
  readonly importers: Importers;
  /** The modules that differ. */
  readonly changed: readonly string[];
  /** What the running code has accepted: itself, or a dependency. What its text says counts without this. */
  readonly hasAccepted?: (path: string, dependency: string | null) => boolean;
  /** Modules that must not be replaced in place. */
  readonly refused?: ReadonlySet<string>;
}

export interface Propagation {
  /** Every module to evaluate, with the one because of which; null for one that differs itself. */
  readonly reevaluated: ReadonlyMap<string, string | null>;
  /** Those of them some importer of which stays as it is. */
  readonly inPlace: ReadonlySet<string>;
  /** By module that stays, the dependencies that it accepted and that are evaluated again. */
  readonly accepted: ReadonlyMap<string, readonly string[]>;
  /** Why modules that accept themselves are not replaced in place. */
  readonly refusals: ReadonlyMap<string, string>;
}

/** Follows a change up to its boundaries. */
export function propagate(options: PropagateOptions): Propagation {
  const refusals = new Map<string, string>();
  for (;;) {
    const result = spread(options, refusals);
    const count = refusals.size;
    for (const path of result.inPlace) {
      const reason = whyBaseChanged(path, result, options.after);
      if (reason !== null) refusals.set(path, reason);
    }
    if (refusals.size === count) return result;
  }
}

interface Spread extends Propagation {
  readonly reevaluated: Map<string, string | null>;
  readonly inPlace: Set<string>;
  readonly accepted: Map<string, string[]>;
}

function spread(options: PropagateOptions, refusals: Map<string, string>): Spread {
  const changed = options.changed.map((path) => [path, null] as const);
  const result: Spread = {
    reevaluated: new Map<string, string | null>(changed),
    inPlace: new Set(),
    accepted: new Map(),
    refusals,
  };
  // A map's iteration comes to what is added meanwhile.
  for (const path of result.reevaluated.keys()) {
    const acceptance = acceptanceOf(options, path, refusals);
    for (const importer of options.importers(path)) {
      if (importer === path || result.reevaluated.has(importer)) continue;
      if (
        acceptance === 'all' ||
        (acceptance !== null && usesOnly(options.after, { importer, path, acceptance }))
      )
        result.inPlace.add(path);
      else if (acceptsDependency(options, importer, path)) accept(result, importer, path);
      else result.reevaluated.set(importer, path);
    }
    if (acceptance === 'all') result.inPlace.add(path);
  }
  for (const importer of result.accepted.keys())
    if (result.reevaluated.has(importer)) result.accepted.delete(importer);
  return result;
}

function accept({ accepted, inPlace }: Spread, importer: string, path: string): void {
  inPlace.add(path);
  const known = accepted.get(importer);
  if (known === undefined) accepted.set(importer, [path]);
  else known.push(path);
}

/** Which of its exports a module accepts being replaced; null for none. */
function acceptanceOf(
  { before, after, hasAccepted, refused }: PropagateOptions,
  path: string,
  refusals: Map<string, string>,
): 'all' | ReadonlySet<string> | null {
  const old = before(path);
  const next = after.get(path);
  const hot = old?.hot ?? null;
  if (old === undefined || next === undefined || !acceptsItself(hot)) return null;
  if (refused?.has(path) === true || refusals.has(path) || hasAccepted?.(path, null) === false) return null;
  const reason = whyNotInPlace(old, next);
  if (reason === null) return hot.acceptsSelf ? 'all' : new Set(hot.acceptedExports);
  refusals.set(path, reason);
  return null;
}

function acceptsDependency(
  { before, hasAccepted, refused }: PropagateOptions,
  importer: string,
  path: string,
): boolean {
  const module = before(importer);
  const specifiers = module?.hot?.acceptedDependencies ?? [];
  const isNamed = module?.requests.some(
    ({ specifier, target }) =>
      specifiers.includes(specifier) && target.kind === 'module' && target.path === path,
  );
  if (isNamed !== true || refused?.has(path) === true) return false;
  return hasAccepted?.(importer, path) !== false;
}

interface Use {
  readonly importer: string;
  readonly path: string;
  readonly acceptance: ReadonlySet<string>;
}

/** True when an importer takes nothing from a module but what that accepts being replaced. */
function usesOnly(modules: ManifestModules, { importer, path, acceptance }: Use): boolean {
  const module = modules.get(importer);
  if (module === undefined) return false;
  const leading = module.requests.filter(({ target }) => target.kind === 'module' && target.path === path);
  if (leading.some(({ phase }) => phase !== 'static')) return false;
  const specifiers = new Set(leading.map(({ specifier }) => specifier));
  if (module.starExports.some((specifier) => specifiers.has(specifier))) return false;
  const used = [
    ...module.imports,
    ...module.indirectExports.map(({ specifier, imported }) => ({ specifier, name: imported })),
  ].filter(({ specifier }) => specifiers.has(specifier));
  return used.every(({ name }) => acceptance.has(name));
}

/** A class that stays can't have another class under it: living instances were made by the one before. */
function whyBaseChanged(
  path: string,
  { reevaluated, inPlace }: Spread,
  modules: ManifestModules,
): string | null {
  const module = modules.get(path);
  const derived = module?.hot?.live.find(({ base }) => base !== null);
  if (module === undefined || derived === undefined) return null;
  const replaced = module.requests.find(
    ({ phase, target }) =>
      phase === 'static' &&
      target.kind === 'module' &&
      target.path !== path &&
      reevaluated.has(target.path) &&
      !inPlace.has(target.path),
  );
  if (replaced?.target.kind !== 'module') return null;
  return `class ${derived.name} extends ${derived.base ?? ''}, and ${replaced.target.path} is evaluated again`;
}
