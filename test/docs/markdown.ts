/** Reading the documentation as data, so that tests can hold it equal to the code. */

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The text of a file of the repository. */
export function readText(name: string): string {
  return readFileSync(path.join(repository, name), 'utf8');
}

/** Every Markdown file that is ours, by its path in the repository. */
export function listMarkdown(): string[] {
  const isForeign = (name: string): boolean => /(?:^|\/)(?:node_modules|\.midflight|dist)(?:\/|$)/.test(name);
  const names = globSync('**/*.md', { cwd: repository, exclude: isForeign });
  return names.filter((name) => !isForeign(name)).toSorted();
}

/** The rows of all tables in which every given column is, each as its cells by column name. */
export function readTable(text: string, columns: readonly string[]): Record<string, string>[] {
  return readTables(text)
    .filter(([head = []]) => columns.every((column) => head.includes(column)))
    .flatMap(([head = [], ...rows]) =>
      rows.map((cells) => Object.fromEntries(head.map((name, index) => [name, cells[index] ?? '']))),
    );
}

/** The section under a heading, up to the next one of the same level or above. */
export function readSection(text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const lines = text.split('\n');
  const start = lines.indexOf(heading);
  if (start === -1) throw new Error(`There is no "${heading}"`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? Infinity) <= level);
  return rest.slice(0, end === -1 ? undefined : end).join('\n');
}

/** A cell without the marks of code. */
export function plain(cell: string): string {
  return cell.replaceAll('`', '');
}

function readTables(text: string): string[][][] {
  const tables: string[][][] = [];
  let table: string[][] | null = null;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      table = null;
      continue;
    }
    if (table === null) tables.push((table = []));
    const cells = toCells(line);
    if (!cells.every((cell) => /^:?-+:?$/.test(cell))) table.push(cells);
  }
  return tables;
}

function toCells(line: string): string[] {
  const inner = line.trim().replace(/^\||\|$/g, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll(String.raw`\|`, '|'));
}
