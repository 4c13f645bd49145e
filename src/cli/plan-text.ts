/** A plan as a person reads it at a terminal, as wide as that is. */

import type { PlannedDeploy } from '../deploy/plan-deploy.ts';
import { PLAIN_WHY, type ExportTypeChange, type ModuleChange } from '../plan/module-changes.ts';
import { toPlanTree, type PlanNode } from '../plan/plan-tree.ts';
import type { DeployPath, Reason } from '../plan/reason.ts';
import type { Style } from './output.ts';

export interface PlanTextOptions {
  /** The command that applies it. */
  readonly apply: string;
  /** No module is left out. */
  readonly isAll: boolean;
  /** How wide the terminal is; undefined where there is none, and lines are as long as they are. */
  readonly columns: number | undefined;
  paint(style: Style, text: string): string;
}

const limits = { roots: 20, children: 5 };
const everything = { roots: Infinity, children: Infinity };
const HAZARDS_SHOWN_MAX = 10;
/** Narrower, and every word would have its line. */
const COLUMNS_MIN = 40;

/** All of it, without an end of line at the end. */
export function toPlanText(plan: PlannedDeploy, options: PlanTextOptions): string {
  const view = toView(options);
  const sections = [
    [toHeadline(plan, view)],
    reasonLines('why', plan.reasons, view),
    moduleLines(plan, view),
    hazardLines(plan, view),
    reasonLines('warnings', plan.warnings, view),
    stepLines(plan, view),
    applyLines(plan, view),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

interface View extends PlanTextOptions {
  /** `text` after `lead`, wrapped under its own first column; what else stands there on the lines that follow is `hang`. */
  wrap(lead: string, text: string, style?: Style, hang?: string): string;
}

function toView(options: PlanTextOptions): View {
  const width = options.columns === undefined ? Infinity : Math.max(COLUMNS_MIN, options.columns);
  return {
    ...options,
    wrap(lead, text, style, hang = '') {
      const indent = visibleLength(lead);
      const lines = text.split('\n').flatMap((line) => wrapWords(line, width - indent));
      const painted = lines.map((line) => (style === undefined ? line : options.paint(style, line)));
      return `${lead}${painted.join(`\n${hang.padEnd(indent)}`)}`;
    },
  };
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

// oxlint-disable-next-line no-control-regex -- the escape is what makes a colour
const colour = /\u001B\[\d+m/g;

function visibleLength(text: string): number {
  return text.replaceAll(colour, '').length;
}

const pathStyles: Record<DeployPath, Style> = {
  none: 'green',
  swap: 'green',
  handoff: 'cyan',
  restart: 'yellow',
  rejected: 'red',
};

function toHeadline({ path, current, commit }: PlannedDeploy, { paint }: View): string {
  const from = current === null ? 'nothing runs' : `over ${current}`;
  const what = commit === null ? 'a tree outside of git' : `commit ${commit.slice(0, 9)}`;
  return `${paint('bold', paint(pathStyles[path], path))}  ${paint('dim', `${what}, ${from}`)}`;
}

function reasonLines(title: string, reasons: readonly Reason[], view: View): string[] {
  if (reasons.length === 0) return [];
  const lines = reasons.flatMap(({ code, path, message, fix }) => {
    const style = path === 'rejected' ? 'red' : title === 'warnings' ? 'yellow' : 'dim';
    const line = view.wrap(`  ${view.paint(style, code)}  `, message);
    return fix === undefined ? [line] : [line, view.wrap('          ', `→ ${fix}`, 'dim')];
  });
  return [view.paint('bold', title), ...lines];
}

function moduleLines({ modules }: PlannedDeploy, view: View): string[] {
  if (modules.length === 0) return [];
  const tree = toPlanTree(modules, view.isAll ? everything : limits);
  const reached = modules.filter(({ change }) => change === 'reached').length;
  const differing = modules.length - reached;
  const counts = [
    `${differing} differ${differing === 1 ? 's' : ''}`,
    reached > 0 ? `${reached} reached by that` : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
  const lines = tree.roots.flatMap((root) => nodeLines(root, '  ', '  ', view));
  const rest = tree.hiddenCount === 0 ? [] : [view.paint('dim', `  … and ${tree.hiddenCount} more; --all`)];
  return [`${view.paint('bold', 'modules')}  ${view.paint('dim', counts)}`, ...lines, ...rest];
}

const changeStyles: Record<ModuleChange['change'], Style> = {
  added: 'green',
  changed: 'yellow',
  removed: 'red',
  reached: 'cyan',
};
const CHANGE_WIDTH = 'changed'.length;

/** `lead` is what stands before the node's own line, `indent` before all under it. */
function nodeLines(
  { module, children, hiddenCount }: PlanNode,
  lead: string,
  indent: string,
  view: View,
): string[] {
  const { path, change } = module;
  const word = view.paint(changeStyles[change], change.padEnd(CHANGE_WIDTH));
  const hasMore = children.length > 0 || hiddenCount > 0;
  const inner = `${indent}${hasMore ? '│ ' : '  '}`;
  const last = hiddenCount > 0 ? null : children.at(-1);
  return [
    view.wrap(`${lead}${word}  `, `${path}${noteOf(module, lead === indent)}`, undefined, inner),
    ...exportLines(module, `${inner}  `, view),
    ...children.flatMap((child) =>
      nodeLines(
        child,
        `${indent}${child === last ? '└─' : '├─'} `,
        `${indent}${child === last ? '   ' : '│  '}`,
        view,
      ),
    ),
    ...(hiddenCount > 0 ? [view.paint('dim', `${indent}└─ … and ${hiddenCount} more; --all`)] : []),
  ];
}

/** What the tree does not show by itself. */
function noteOf({ change, why, isInPlace }: ModuleChange, isRoot: boolean): string {
  const place = isInPlace ? ', replaced in place' : '';
  if (change === 'reached') return isRoot ? `${place} ${why}` : place;
  return why === PLAIN_WHY ? place : `${place} (${why})`;
}

function exportLines(
  { exportsAdded, exportsRemoved, exportTypes }: ModuleChange,
  lead: string,
  view: View,
): string[] {
  const typeOf = (name: string): ExportTypeChange | undefined =>
    exportTypes.find((each) => each.name === name);
  const stated = (type: string | null | undefined): string => (type == null ? '' : `: ${type}`);
  const known = new Set([...exportsAdded, ...exportsRemoved]);
  const line = (style: Style, mark: string, text: string): string =>
    view.wrap(`${lead}${view.paint(style, mark)} `, text, undefined, lead);
  return [
    ...exportsAdded.map((name) => line('green', '+', `${name}${stated(typeOf(name)?.after)}`)),
    ...exportsRemoved.map((name) => line('red', '-', `${name}${stated(typeOf(name)?.before)}`)),
    ...exportTypes
      .filter(({ name }) => !known.has(name))
      .map(({ name, before, after }) => line('yellow', '~', `${name}: ${before ?? ''}\nnow ${after ?? ''}`)),
  ];
}

function hazardLines({ hazards, path }: PlannedDeploy, view: View): string[] {
  if (hazards.length === 0) return [];
  const shown = view.isAll ? hazards : hazards.slice(0, HAZARDS_SHOWN_MAX);
  const width = Math.max(...shown.map(({ kind }) => kind.length));
  const lines = shown.map(({ kind, path: file, line, detail }) =>
    view.wrap(`  ${view.paint('yellow', kind.padEnd(width))}  `, `${file}:${line} ${detail}`),
  );
  const more = hazards.length - shown.length;
  const title = path === 'swap' ? 'at risk' : 'in memory, and starts anew';
  return [
    view.paint('bold', title),
    ...lines,
    ...(more > 0 ? [view.paint('dim', `  … and ${more} more; --all`)] : []),
  ];
}

function stepLines({ steps }: PlannedDeploy, view: View): string[] {
  if (steps.length === 0) return [];
  const lines = steps.map(({ name, undo }, index) =>
    view.wrap(`  ${view.paint('dim', String(index + 1))}  `, `${name} (undo: ${undo})`),
  );
  return [view.paint('bold', 'steps'), ...lines];
}

function applyLines({ path, id }: PlannedDeploy, { paint, apply }: View): string[] {
  const title = `${paint('bold', 'plan')}  ${id}`;
  if (path === 'none') return [`${title}  ${paint('dim', 'there is nothing to do')}`];
  return path === 'rejected' ? [title] : [title, `  ${paint('dim', 'apply it:')} ${apply}`];
}
