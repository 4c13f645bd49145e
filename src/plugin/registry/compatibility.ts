/**
 * What a new version breaks for those who use the one before: by the project's own compiler where both are TypeScript, else by what
 * their exports are. What breaks needs a major version; before 1.0.0 a minor one.
 */

import path from 'node:path';
import semver from 'semver';
import { checkAssignable } from '../../release/assignable-types.ts';
import { isTyped } from '../../release/type-problems.ts';
import type { PluginExport, PluginExports, PluginManifest } from './plugin-manifest.ts';

export interface Breach {
  readonly name: string;
  readonly problem: string;
}

export interface Compatibility {
  readonly breaches: readonly Breach[];
  /** `types`: as the compiler says. `shape`: kinds and arguments of exports, and why no types. */
  readonly by: 'types' | 'shape';
  readonly reason: string | null;
}

/** The version that a new one has to be compatible with: the newest before it that the same `^` range has. None for what is a
 *  prerelease, and none that is one. */
export function findPredecessor(versions: readonly string[], version: string): string | null {
  if (semver.prerelease(version) !== null) return null;
  const older = versions.filter((each) => semver.lt(each, version) && semver.prerelease(each) === null);
  const alike = older.filter((each) => semver.satisfies(version, `^${each}`));
  return semver.rsort(alike)[0] ?? null;
}

/** The next version that may break what is used. */
export function nextBreaking(version: string): string {
  if (semver.major(version) > 0) return semver.inc(version, 'major') ?? '';
  return semver.inc(version, semver.minor(version) > 0 ? 'minor' : 'patch') ?? '';
}

export interface Side {
  readonly manifest: Pick<PluginManifest, 'entry' | 'exports' | 'contents'>;
  readonly root: string;
}

const CHECK_TIMEOUT_MS = 120_000;

export async function compareVersions(
  before: Side,
  after: Side,
  cacheDirectory: string,
): Promise<Compatibility> {
  const [old, current] = [before.manifest, after.manifest];
  const missing = Object.keys(old.exports).filter((name) => !Object.hasOwn(current.exports, name));
  const gone = missing.map((name) => ({ name, problem: 'is gone' }));
  const names = Object.keys(old.exports).filter((name) => !missing.includes(name));
  const byShape = (reason: string): Compatibility => ({
    breaches: [...gone, ...names.flatMap((name) => compareShape(name, old.exports, current.exports))],
    by: 'shape',
    reason,
  });
  if (!isTyped(old.entry) || !isTyped(current.entry)) return byShape('it is not TypeScript');
  if (old.entry !== current.entry) return byShape(`its entry was ${old.entry}`);
  const found = await checkAssignable({
    before: before.root,
    after: after.root,
    appFolder: '',
    modules: [{ path: current.entry, exports: names }],
    evaluated: [current.entry],
    differing: differingSources(before, after),
    cacheDirectory: path.resolve(cacheDirectory),
    timeoutMs: CHECK_TIMEOUT_MS,
  });
  if (found.status === 'unchecked') return byShape(found.reason);
  const misfits = found.misfits.map(({ name, message }) => ({ name, problem: message }));
  return { breaches: [...gone, ...misfits], by: 'types', reason: null };
}

function compareShape(name: string, before: PluginExports, after: PluginExports): Breach[] {
  const problem = findDifference(before[name], after[name]);
  return problem === null ? [] : [{ name, problem }];
}

function findDifference(before: PluginExport | undefined, after: PluginExport | undefined): string | null {
  if (before === undefined || after === undefined) return null;
  if (before.kind !== after.kind) return `was ${before.kind}, and is ${after.kind}`;
  const [had = 0, has = 0] = [before.arity, after.arity];
  return has > had ? `needs ${has} arguments, and needed ${had}` : null;
}

function differingSources(before: Side, after: Side): readonly string[] {
  const [old, current] = [before.manifest.contents.files, after.manifest.contents.files];
  const paths = Object.keys({ ...old, ...current }).filter(isTyped);
  return paths.filter((at) => JSON.stringify(old[at]) !== JSON.stringify(current[at]));
}
