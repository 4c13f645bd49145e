/** How results are written down: with the machine, the versions and the commit that they were measured on. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Claim {
  readonly title: string;
  /** What is measured and how, in a sentence or two. */
  readonly method: string | ((sizes: Sizes) => string);
  /** Versions of the peers, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** What `--set name=number` can change. */
  readonly sizes?: Sizes;
  /** The sizes of `--smoke`: does the benchmark still work? */
  readonly smokeSizes?: Sizes;
  /** What `--only` can name, in the order of the table. */
  readonly systems?: readonly string[];
  /** Returns a Markdown table, or a result for each system. */
  measure(log: (line: string) => void, run: Run): Promise<string | readonly Result[]>;
}

export type Sizes = Readonly<Record<string, number>>;

export interface Run {
  readonly sizes: Sizes;
  isWanted(system: string): boolean;
}

/** What was measured of one system: a row of the table, and all else for those who look closer. */
export interface Result {
  readonly system: string;
  readonly row: Row;
  readonly detail: object;
}

export type Row = Readonly<Record<string, string | number>>;

/** A result, and on what it was measured. */
interface KeptResult extends Result {
  readonly measuredOn: string;
  readonly sizes: Sizes;
}

const file = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const resultsFolder = fileURLToPath(new URL('results', import.meta.url));

/** A Markdown table; the columns are the keys of the first row. */
export function toTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [
    columns,
    columns.map(() => '---'),
    ...rows.map((row) => columns.map((column) => String(row[column]))),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function toResultTable(results: readonly Result[]): string {
  return toTable(results.map(({ system, row }) => ({ '': system, ...row })));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Replaces the section of a claim, or adds it. */
export function writeSection(
  name: string,
  { claim, results, sizes }: { claim: Claim; results: string | readonly Result[]; sizes: Sizes },
): void {
  const measuredOn = describeMachine(claim.versions);
  const [table, machines] =
    typeof results === 'string'
      ? [results, [measuredOn]]
      : describeKept(keepResults(name, { claim, results, sizes, measuredOn }));
  const method = typeof claim.method === 'string' ? claim.method : claim.method(sizes);
  const before = existsSync(file)
    ? readFileSync(file, 'utf8')
    : '# Benchmarks\n\nAs measured; run them yourself with `npm run bench -- <claim>`.\n';
  const section = `<!-- ${name} -->\n## ${claim.title}\n\n${method}\n\n${table}\n\n${machines.join('\n\n')}\n<!-- /${name} -->`;
  const existing = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
  const after = existing.test(before)
    ? before.replace(existing, () => section)
    : `${before.trimEnd()}\n\n${section}\n`;
  writeFileSync(file, after);
}

/** Measures one system after the other; one that can't be measured does not take away the results of the others. */
export async function measureEach<System extends { readonly name: string }>(
  systems: readonly System[],
  { run, log }: { run: Run; log: (line: string) => void },
  measure: (system: System) => Promise<Omit<Result, 'system'>>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const system of systems.filter(({ name }) => run.isWanted(name))) {
    log(system.name);
    try {
      results.push({ system: system.name, ...(await measure(system)) });
    } catch (error) {
      log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      process.exitCode = 1;
    }
  }
  return results;
}

/** Puts the results beside those of other systems, measured by an earlier run with `--only`, in `bench/results/<claim>.json`. */
function keepResults(
  name: string,
  run: { claim: Claim; results: readonly Result[]; sizes: Sizes; measuredOn: string },
): readonly KeptResult[] {
  const { claim, results, sizes, measuredOn } = run;
  const kept = `${resultsFolder}/${name}.json`;
  const before = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as KeptResult[]) : [];
  const bySystem = new Map(before.map((result) => [result.system, result]));
  for (const result of results) bySystem.set(result.system, { ...result, sizes, measuredOn });
  const all = (claim.systems ?? []).flatMap((system) => bySystem.get(system) ?? []);
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(kept, `${JSON.stringify(all, null, 2)}\n`);
  return all;
}

function describeKept(results: readonly KeptResult[]): [table: string, machines: readonly string[]] {
  const machines = [...new Set(results.map(({ measuredOn }) => measuredOn))];
  if (machines.length < 2) return [toResultTable(results), machines];
  const toLine = (machine: string): string => {
    const systems = results.filter(({ measuredOn }) => measuredOn === machine).map(({ system }) => system);
    return `${systems.join(', ')}: ${machine}`;
  };
  return [toResultTable(results), machines.map(toLine)];
}

export function describeMachine(versions: Claim['versions']): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const commit = `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src') === '' ? '' : ' with changes'}`;
  const all = { node: process.version, ...versions };
  const parts = [
    `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown processor'}`,
    `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    `${os.type()} ${os.release()}`,
    ...Object.entries(all).map(([name, version]) => `${name} ${version}`),
    `commit ${commit}`,
    new Date().toISOString().slice(0, 10),
  ];
  return `Measured on ${parts.join('; ')}.`;
}

/** The version of a package that the benchmarks or the project have installed. */
export function versionOf(name: string): string {
  for (const directory of ['node_modules', '../node_modules']) {
    const manifest = new URL(`${directory}/${name}/package.json`, import.meta.url);
    if (existsSync(manifest))
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}

/** The version that a command prints. */
export function versionOfCommand(command: string, ...args: string[]): string {
  try {
    const printed = execFileSync('sh', ['-c', `${[command, ...args].join(' ')} 2>&1`], { encoding: 'utf8' });
    return /\d+\.\d[\w.-]*/.exec(printed)?.[0] ?? 'unknown';
  } catch {
    return 'not installed';
  }
}
