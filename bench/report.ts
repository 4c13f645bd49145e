/** How results are written down: with the machine, the versions and the commit that they were measured on. */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Claim {
  readonly title: string;
  /** What is measured and how, in a sentence or two. */
  readonly method: string;
  /** Versions of the peers, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Returns a Markdown table. */
  measure(log: (line: string) => void): Promise<string>;
}

export type Row = Readonly<Record<string, string | number>>;

const file = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));

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

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Replaces the section of a claim, or adds it. */
export function writeSection(name: string, claim: Claim, results: string): void {
  const before = existsSync(file)
    ? readFileSync(file, 'utf8')
    : '# Benchmarks\n\nAs measured; run them yourself with `npm run bench -- <claim>`.\n';
  const section = `<!-- ${name} -->\n## ${claim.title}\n\n${claim.method}\n\n${results}\n\n${describeMachine(claim.versions)}\n<!-- /${name} -->`;
  const existing = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
  const after = existing.test(before)
    ? before.replace(existing, () => section)
    : `${before.trimEnd()}\n\n${section}\n`;
  writeFileSync(file, after);
}

function describeMachine(versions: Claim['versions']): string {
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
