/**
 * Whether modules that are replaced in place can take the old ones' place in the eyes of the importers that stay: by the
 * project's own compiler, run on a file of assignments from the new exports to the types of the old.
 *
 * Old versions of all that differs lie in a folder of their own, which `rootDirs` lays over the new tree: what did not change is one
 * file for both, and one type. Why so: docs/design/plan/design.md#types.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { toBuildEnvironment } from './build-environment.ts';
import { runCommand } from './command.ts';
import { hidePrivates } from './hide-privates.ts';
import { dropOldest } from './drop-oldest.ts';
import { findCompiler, isTyped, readCompilerOutput, type CompilerProblem } from './type-problems.ts';
import { findConcerned, layOutSides, readSource, type Layout, type TypeSides } from './type-sides.ts';

export interface AssignableOptions extends TypeSides {
  /** The modules to look at, with the names that importers may use. */
  readonly modules: readonly CheckedModule[];
  readonly cacheDirectory: string;
  readonly timeoutMs: number;
  /** Aborted: the compiler is ended, and the check rejects. */
  readonly signal?: AbortSignal | undefined;
}

export interface CheckedModule {
  readonly path: string;
  readonly exports: readonly string[];
}

export interface Misfit {
  readonly path: string;
  readonly name: string;
  readonly message: string;
}

export type AssignableTypes =
  | { readonly status: 'checked'; readonly misfits: readonly Misfit[] }
  | { readonly status: 'unchecked'; readonly reason: string };

/** Of the same sources a check is asked for again within some deploys, or never. */
const ANSWERS_MAX = 100;
/** More than there are at once. */
const CHECKS_MAX = 20;

const MISSING =
  'no TypeScript is installed in the release; make TypeScript 5.9 or later a dependency of the app';

/** Asks the compiler, or what it said of the same sources before. */
export async function checkAssignable(options: AssignableOptions): Promise<AssignableTypes> {
  const compiler = findCompiler(path.join(options.after, options.appFolder));
  if (compiler === null) return { status: 'unchecked', reason: MISSING };
  const sources = await listSources(options.after);
  const known = path.join(
    options.cacheDirectory,
    `types-${await digest(options, { compiler, sources })}.json`,
  );
  if (existsSync(known)) return JSON.parse(await readFile(known, 'utf8')) as AssignableTypes;
  await mkdir(options.cacheDirectory, { recursive: true });
  // What a check has left that was killed.
  await dropOldest(options.cacheDirectory, '.types-', CHECKS_MAX);
  const folder = await mkdtemp(path.join(options.cacheDirectory, '.types-'));
  try {
    const files = findConcerned(options, sources);
    const result = await check(options, compiler, { folder, files });
    if (result.status === 'unchecked') return result;
    const staging = path.join(folder, 'result.json');
    await writeFile(staging, JSON.stringify(result));
    await rename(staging, known);
    await dropOldest(options.cacheDirectory, 'types-', ANSWERS_MAX);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function check(
  options: AssignableOptions,
  compiler: string,
  place: Omit<Layout, 'text'>,
): Promise<AssignableTypes> {
  const asIs = await compile(options, compiler, { ...place, text: (_, source) => source });
  const isNominal = asIs.status === 'checked' && asIs.misfits.some(({ message }) => nominal.test(message));
  if (!isNominal) return asIs;
  return compile(options, compiler, { ...place, text: hidePrivates });
}

/** What TypeScript says of two classes that are alike, and both declare something that nobody else may see. */
const nominal = /\bprivate\b|\bprotected\b|different member that cannot be accessed/;

async function compile(
  options: AssignableOptions,
  compiler: string,
  layout: Layout,
): Promise<AssignableTypes> {
  const { folder } = layout;
  await layOutSides(options, layout);
  const { lines, names } = toAssignments(options.modules);
  await writeFile(path.join(folder, CHECK_FILE), lines.join('\n'));
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(toSettings(options)));
  const { timeoutMs, signal } = options;
  const args = [compiler, '--project', folder, '--pretty', 'false'];
  const env = { ...toBuildEnvironment(process.env), NO_COLOR: '1' };
  const result = await runCommand(process.execPath, args, {
    cwd: folder,
    timeoutMs,
    env,
    signal,
    keepsStdout: true,
  });
  if (result.timedOut) return { status: 'unchecked', reason: `tsc has not ended after ${timeoutMs} ms` };
  const said = readCompilerOutput(result.stdout).filter((problem) => problem.path === CHECK_FILE);
  if (!said.some(({ line }) => line === CANARY_LINE)) {
    const [first = `exit code ${result.exitCode}`] = result.output.split('\n').filter((line) => line !== '');
    return { status: 'unchecked', reason: `tsc did not come to it: ${first.slice(0, REASON_LENGTH_MAX)}` };
  }
  return { status: 'checked', misfits: toMisfits(said, names) };
}

const CHECK_FILE = 'check.ts';
/** This line is wrong always: without its error nothing was checked. */
const CANARY_LINE = 1;
const CANARY = `export const canary: 'wrong' = 'right' as string;`;
const REASON_LENGTH_MAX = 200;

interface Assignments {
  readonly lines: readonly string[];
  /** By line, from 1. */
  readonly names: ReadonlyMap<number, Pick<Misfit, 'path' | 'name'>>;
}

/** `let` widens: another number or text in a constant is no other type. */
function toAssignments(modules: readonly CheckedModule[]): Assignments {
  const lines = [CANARY];
  const names = new Map<number, Pick<Misfit, 'path' | 'name'>>();
  for (const [index, module] of modules.entries()) {
    const specifier = (side: string): string => JSON.stringify(`./${side}/${module.path}`);
    lines.push(`import * as b${index} from ${specifier('before')};`);
    lines.push(`import * as a${index} from ${specifier('after')};`);
    for (const [position, name] of module.exports.entries()) {
      const key = `[${JSON.stringify(name)}]`;
      const variable = `v${index}_${position}`;
      lines.push(`let ${variable} = b${index}${key};`, `${variable} = a${index}${key};`);
      names.set(lines.length, { path: module.path, name });
    }
  }
  return { lines, names };
}

function toSettings({ after, appFolder }: AssignableOptions): object {
  const own = path.join(after, appFolder, 'tsconfig.json');
  const compilerOptions = {
    noEmit: true,
    allowImportingTsExtensions: true,
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    emitDeclarationOnly: false,
    isolatedDeclarations: false,
    skipLibCheck: true,
    rootDir: null,
    outDir: null,
    tsBuildInfoFile: null,
    rootDirs: ['before', 'after', after],
  };
  if (existsSync(own)) return { extends: own, compilerOptions, files: [CHECK_FILE], include: [] };
  const defaults = { strict: true, module: 'nodenext', target: 'es2022' };
  return { compilerOptions: { ...defaults, ...compilerOptions }, files: [CHECK_FILE] };
}

/** A name that only one side has, or that has no type, is no misfit: links and exports are compared elsewhere. */
const otherwise = /^TS(?:2305|2307|2339|2551|2694|7016|7053):/;

function toMisfits(said: readonly CompilerProblem[], names: Assignments['names']): readonly Misfit[] {
  return said.flatMap(({ line, message }) => {
    const at = names.get(line);
    return at === undefined || otherwise.test(message) ? [] : [{ ...at, message: toReadable(message) }];
  });
}

/** Without the folders, which say nothing to a person. */
function toReadable(message: string): string {
  const type = /import\("[^"]*?\/(before|after)\/[^"]*"(?:, \{[^}]*\{[^}]*\} \})?\)\./g;
  return message
    .replace(/^TS\d+: /, '')
    .replaceAll(type, (_, side: string) => (side === 'before' ? 'old ' : 'new '));
}

/** The typed sources of a tree, without its dependencies'. */
async function listSources(tree: string): Promise<readonly string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && isTyped(entry.name))
    .map((entry) => path.relative(tree, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((at) => !at.split('/').includes('node_modules'))
    .toSorted();
}

interface Asked {
  readonly compiler: string;
  readonly sources: readonly string[];
}

/** Every typed source counts, as types are not in the hash of a module. */
async function digest(options: AssignableOptions, { compiler, sources }: Asked): Promise<string> {
  const { before, after, appFolder, modules, evaluated, differing } = options;
  const hash = createHash('sha256').update(JSON.stringify([modules, evaluated, differing]));
  hash.update(await readFile(path.resolve(compiler, '../../package.json'), 'utf8'));
  for (const at of [...evaluated, ...differing]) hash.update(`\0${readSource(path.join(before, at)) ?? ''}`);
  const settings = ['tsconfig.json', 'package-lock.json', 'package.json'].flatMap((name) =>
    [...new Set(['', appFolder])].map((folder) => path.posix.join(folder, name)),
  );
  for (const at of [...sources, ...settings])
    hash.update(`\0${at}\0${readSource(path.join(after, at)) ?? ''}`);
  return hash.digest('hex').slice(0, 32);
}
