/** A plan as Markdown, for a comment on a pull request. */

import type { PlannedDeploy } from '../deploy/plan-deploy.ts';
import type { ModuleChange } from '../plan/module-changes.ts';
import type { Reason } from '../plan/reason.ts';

export interface MarkdownOptions {
  readonly apply: string;
  readonly isAll: boolean;
}

/** Comments have a limit, and readers too. */
const ROWS_MAX = 100;

export function toMarkdown(plan: PlannedDeploy, { apply, isAll }: MarkdownOptions): string {
  const { path, id, reasons, warnings, modules, hazards, steps, current, commit } = plan;
  const what = commit === null ? 'a tree outside of git' : `commit ${code(commit.slice(0, 9))}`;
  const over = current === null ? 'nothing runs yet' : `over ${code(current)}`;
  const isApplied = path !== 'none' && path !== 'rejected';
  const rowsMax = isAll ? Infinity : ROWS_MAX;
  return [
    `## Midflight plan: ${path}`,
    `${what}, ${over}. Plan ${code(id)}.`,
    table(
      ['code', 'path', 'why'],
      reasons.map(({ code: name, path: own, ...reason }) => [name, own, toText(reason)]),
    ),
    section(
      'Warnings',
      table(
        ['code', 'what'],
        warnings.map(({ code: name, ...warning }) => [name, toText(warning)]),
      ),
    ),
    details(
      `${modules.length} modules`,
      limited(['module', 'change', 'why', 'exports'], modules.map(toModuleRow), rowsMax),
    ),
    details(
      `${hazards.length} things to know by line`,
      limited(
        ['where', 'kind', 'what'],
        hazards.map(({ path: file, line, kind, detail }) => [code(`${file}:${line}`), kind, code(detail)]),
        rowsMax,
      ),
    ),
    details(
      'Steps',
      table(
        ['step', 'undo'],
        steps.map(({ name, undo }) => [name, undo]),
      ),
    ),
    isApplied ? `Apply it: ${code(apply)}` : '',
  ]
    .filter((text) => text !== '')
    .join('\n\n');
}

function toText({ message, fix }: Pick<Reason, 'message' | 'fix'>): string {
  return escape(fix === undefined ? message : `${message}\n→ ${fix}`);
}

function toModuleRow({ path, change, why, isInPlace, ...module }: ModuleChange): string[] {
  const changed = module.exportTypes.filter(
    ({ name }) => !module.exportsAdded.includes(name) && !module.exportsRemoved.includes(name),
  );
  const exports = [
    ...module.exportsAdded.map((name) => `+ ${code(name)}`),
    ...module.exportsRemoved.map((name) => `− ${code(name)}`),
    ...changed.map(({ name, before, after }) => `${code(`${name}: ${before ?? ''}`)} → ${code(after ?? '')}`),
  ];
  const chain =
    module.because.length > 0 ? module.because.map((name) => code(name)).join(' ← ') : escape(why);
  return [code(path), `${change}${isInPlace ? ', in place' : ''}`, chain, exports.join('<br>')];
}

function section(title: string, text: string): string {
  return text === '' ? '' : `### ${title}\n\n${text}`;
}

function details(summary: string, text: string): string {
  return text === '' ? '' : `<details><summary>${summary}</summary>\n\n${text}\n\n</details>`;
}

function limited(head: readonly string[], rows: readonly (readonly string[])[], rowsMax: number): string {
  const text = table(head, rows.slice(0, rowsMax));
  return rows.length > rowsMax ? `${text}\n\nand ${rows.length - rowsMax} more` : text;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** In a table a line is a line, and a bar ends a cell. */
function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('|', String.raw`\|`)
    .replaceAll('\n', '<br>');
}

function code(text: string): string {
  const plain = text.replaceAll('|', String.raw`\|`).replaceAll(/\s+/g, ' ');
  const fence = plain.includes('`') ? '``' : '`';
  return plain === '' ? '' : `${fence}${plain}${fence}`;
}
